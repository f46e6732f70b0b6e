// db_url and db_table: what is accepted, and that no secret is ever shown.
#include <string>

#include "store/db_url.h"
#include "tests/store/fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(db_url) {
  std::string refused(std::string_view url, Errc want = Errc::bad_config) {
    auto r = parse_db_url(url);
    CHECK_FALSE(r.ok());
    LONGS_EQUAL(static_cast<int>(want), static_cast<int>(r.code()));
    return r.ok() ? "" : r.error().message;
  }
};

TEST(db_url, three_slashes_begin_an_absolute_path) {
  auto r = parse_db_url("sqlite:///var/lib/puad/pua.db");
  CHECK(r.ok());
  CHECK(r->kind == DbKind::Sqlite);
  STRCMP_EQUAL("/var/lib/puad/pua.db", r->path.c_str());
}

TEST(db_url, four_slashes_name_the_same_file) { STRCMP_EQUAL("/a/b", parse_db_url("sqlite:////a/b")->path.c_str()); }

TEST(db_url, the_path_is_taken_literally) { STRCMP_EQUAL("/a b%20?c#d", parse_db_url("sqlite:///a b%20?c#d")->path.c_str()); }

TEST(db_url, the_scheme_may_be_in_capitals) { CHECK(parse_db_url("SQLite:///a").ok()); }

TEST(db_url, memory_takes_nothing_behind_it) {
  CHECK(parse_db_url("memory:")->kind == DbKind::Memory);
  refused("memory:x");
  refused("memory");
}

TEST(db_url, a_relative_or_empty_path_is_refused) {
  CHECK(contains(refused("sqlite://pua.db"), "absolute"));
  CHECK(contains(refused("sqlite:pua.db"), "three slashes"));
  refused("sqlite://");
  refused("sqlite:///");
  refused("sqlite:///folder/");
  refused("sqlite:");
}

TEST(db_url, control_characters_are_refused) {
  refused("sqlite:///a\nb");
  refused(std::string_view("sqlite:///a\0b", 13));
}

TEST(db_url, mysql_as_the_documentation_writes_it) {
  auto r = parse_db_url("mysql://opensips:opensipsrw@localhost/opensips");
  CHECK(r.ok());
  CHECK(r->kind == DbKind::Mysql);
  STRCMP_EQUAL("opensips", r->user.c_str());
  STRCMP_EQUAL("opensipsrw", r->password.c_str());
  STRCMP_EQUAL("opensips", r->database.c_str());
  LONGS_EQUAL(1, r->hosts.size());
  STRCMP_EQUAL("localhost", r->hosts[0].name.c_str());
  LONGS_EQUAL(0, r->hosts[0].port);
}

TEST(db_url, several_hosts_share_the_port_at_the_end) {
  auto r = parse_db_url("mysql://u@db1,db2:3307,[2001:db8::1]:3308,10.0.0.4:3309/d");
  CHECK(r.ok());
  LONGS_EQUAL(4, r->hosts.size());
  STRCMP_EQUAL("db1", r->hosts[0].name.c_str());
  LONGS_EQUAL(3309, r->hosts[0].port);
  LONGS_EQUAL(3307, r->hosts[1].port);
  STRCMP_EQUAL("2001:db8::1", r->hosts[2].name.c_str());
  LONGS_EQUAL(3308, r->hosts[2].port);
  STRCMP_EQUAL("", r->password.c_str());
}

TEST(db_url, a_password_may_hold_anything_and_percent_stands_for_an_octet) {
  auto r = parse_db_url("mysql://us%65r:p@ss:w/o%2frd@h/d%62");
  CHECK(r.ok());
  STRCMP_EQUAL("user", r->user.c_str());
  STRCMP_EQUAL("p@ss:w/o/rd", r->password.c_str());
  STRCMP_EQUAL("db", r->database.c_str());
}

TEST(db_url, a_mysql_url_that_lacks_something_is_refused_and_its_password_is_not_shown) {
  for (const char* bad : {"mysql:u:s3cret@h/d", "mysql://u:s3cret@h", "mysql://u:s3cret@h/", "mysql://u:s3cret@/d",
                          "mysql://u:s3cret@h:0/d", "mysql://u:s3cret@h:70000/d", "mysql://u:s3cret@h:x/d", "mysql://u:s3cret@h:/d",
                          "mysql://u:s3cret%zz@h/d", "mysql://u:s3cret%00@h/d", "mysql://u:s3cret@h,/d", "mysql://u:s3cret@h/d/e",
                          "mysql://u:s3cret@[::1/d", "mysql://u:s3cret@h h/d"}) {
    std::string m = refused(bad);
    CHECK_TEXT(contains(m, "mysql://user:password@host"), bad);
    CHECK_FALSE(contains(m, "s3cret"));
  }
}

TEST(db_url, other_schemes_are_refused_by_name) {
  CHECK(contains(refused("postgres://u:s3cret@h/d"), "postgres"));
  CHECK_FALSE(contains(refused("postgres://u:s3cret@h/d"), "s3cret"));
  refused("");
  refused(":");
  refused("/var/lib/pua.db");
}

TEST(db_url, a_secret_without_a_scheme_is_not_shown) {
  CHECK_FALSE(contains(refused("s3cret:x@host/db"), "s3cret"));
  CHECK_FALSE(contains(refused("s3cret@host:3306/db"), "s3cret"));
}

TEST_GROUP(db_table){};

TEST(db_table, names_of_letters_digits_and_underscore_are_accepted) {
  for (const char* n : {"pua", "_x9", "PUA_2"}) CHECK(check_table_name(n).ok());
}

TEST(db_table, anything_else_is_refused) {
  for (std::string n : {"", "9a", "a b", "a\"b", "a;drop table pua", "a'b", "pua-2", "version", "Version", "sqlite_x",
                        "\xc3\xa4", "a.b"}) {
    CHECK_TEXT(check_table_name(n).code() == Errc::bad_config, n.c_str());
  }
  CHECK_FALSE(check_table_name(std::string(61, 'a')).ok());
  CHECK_FALSE(check_table_name(std::string_view("a\0b", 3)).ok());
}
