// Opening what the settings name, and what is said against them before anything is opened.
#include "store/open.h"

#include <filesystem>

#include "tests/store/fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(check_store) {};

TEST(check_store, settings_that_do_not_fit_are_told_without_opening_anything) {
  struct { const char *url, *table; bool verify; const char *ca, *word; } cases[] = {
      {"mysql://u:p@h/x", "pua", false, "", nullptr},
      {"mysql://u:p@h/x", "pua", true, "/ca.pem", nullptr},
      {"sqlite:///tmp/x.db", "pua", true, "", nullptr},   // it has no TLS to verify
      {"memory:", "pua", false, "", nullptr},
      {"mysql://u:p@h/x", "pua", true, "", "db_tls_ca"},
      {"mysql://u:p@h:99999/x", "pua", false, "", "port"},
      {"oracle://u:p@h/x", "pua", false, "", "scheme"},
      {"memory:", "version", false, "", "db_table"},
      {"memory:", "a-b", false, "", "db_table"},
  };
  for (const auto& c : cases) {
    StoreSettings s;
    s.db_url = c.url;
    s.db_table = c.table;
    s.tls = s.tls_verify = c.verify;
    s.tls_ca = c.ca;
    Status fit = check_store(s);
    CHECK_EQUAL(c.word == nullptr, fit.ok());
    if (!c.word) continue;
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(fit.code()));
    CHECK_TEXT(contains(fit.error().message, c.word), fit.error().message.c_str());
  }
}

TEST(check_store, a_password_in_the_clear_is_for_connections_with_tls) {
  StoreSettings s;
  s.db_url = "mysql://u:p@h/x";
  s.clear_password = true;
  Status fit = check_store(s);
  CHECK_FALSE(fit.ok());
  CHECK_TEXT(contains(fit.error().message, "db_clear_password needs db_tls"), fit.error().message.c_str());
  s.tls = true;
  CHECK(check_store(s).ok());
}

TEST_GROUP(open_store) {
  TempDir dir;
  TestLog log;
};

TEST(open_store, opens_what_the_url_names) {
  StoreSettings s;
  s.db_url = "sqlite://" + dir.file("x.db");
  auto a = open_store(s, {}, log.log);
  CHECK(a.ok());
  CHECK((*a)->name() == dir.file("x.db"));
  s.db_url = "memory:";
  auto m = open_store(s, {}, log.log);
  CHECK(m.ok());
  STRCMP_EQUAL("memory:", (*m)->name().c_str());
  CHECK((*a)->durable());
  CHECK_FALSE((*m)->durable());
  CHECK(log.has("nothing is kept"));
}

TEST(open_store, a_bad_table_name_is_refused_before_any_file_is_touched) {
  StoreSettings s;
  s.db_url = "sqlite://" + dir.file("x.db");
  s.db_table = "pua\"; drop table x; --";
  LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(open_store(s, {}, log.log).code()));
  CHECK_FALSE(std::filesystem::exists(dir.file("x.db")));
}
