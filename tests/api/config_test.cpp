// Configuration through the C ABI: files, texts, single parameters, reload.
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

TEST_GROUP(ApiConfig) {
  Rig rig;
  pua_config_t* cfg = nullptr;
  void setup() override { cfg = pua_config_new(); }
  void teardown() override { pua_config_free(cfg); }

  int parse(const std::string& text_) { return pua_config_parse(cfg, text_.data(), text_.size(), "test.conf"); }
  bool says(const char* part) { return std::string(pua_config_error(cfg)).find(part) != std::string::npos; }
};

TEST(ApiConfig, a_text_is_taken_whole_or_not_at_all) {
  STRCMP_EQUAL("", pua_config_error(cfg));
  LONGS_EQUAL(PUA_OK, parse("modparam(\"pua\", \"db_url\", \"memory:\")\nmodparam(\"pua\", \"min_expires\", 60)\n"));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, parse("modparam(\"pua\", \"min_expires\", 70)\n  modparam(\"pua\", \"nonsense\", 1)\n"));
  CHECK_TEXT(says("test.conf:2:") && says("nonsense"), pua_config_error(cfg));
  LONGS_EQUAL(PUA_OK, pua_new(&rig.pua, cfg, rig.base, nullptr, nullptr));  // the first text still counts
}

TEST(ApiConfig, a_file_is_read_and_a_missing_one_named) {
  std::string path = rig.dir.path("pua.conf");
  std::ofstream(path) << "modparam(\"pua\", \"db_url\", \"memory:\") # a comment\n";
  LONGS_EQUAL(PUA_OK, pua_config_load(cfg, path.c_str()));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_load(cfg, rig.dir.path("none.conf").c_str()));
  CHECK_TEXT(says("none.conf"), pua_config_error(cfg));
}

TEST(ApiConfig, the_warning_about_a_readable_file_reaches_the_log) {
  std::string path = rig.dir.path("pua.conf");
  std::ofstream(path) << "modparam(\"pua\", \"db_url\", \"memory:\")\nmodparam(\"pua\", \"credential\", \"r:u:p\")\n";
  chmod(path.c_str(), 0644);
  LONGS_EQUAL(PUA_OK, pua_config_load(cfg, path.c_str()));
  std::string all;
  auto log = [](void* user, int level, const char* msg, size_t len) {
    if (level == PUA_LOG_WARNING) static_cast<std::string*>(user)->append(msg, len);
  };
  LONGS_EQUAL(PUA_OK, pua_new(&rig.pua, cfg, rig.base, log, &all));
  CHECK_TEXT(all.find("pua.conf") != std::string::npos, all.c_str());
  rig.stop();
}

TEST(ApiConfig, single_parameters_are_checked) {
  LONGS_EQUAL(PUA_OK, pua_config_set_int(cfg, "pua", "min_expires", 0));
  LONGS_EQUAL(PUA_OK, pua_config_set_int(cfg, "pua", "unpublish_on_shutdown", 1));
  LONGS_EQUAL(PUA_OK, pua_config_set_str(cfg, "pua", "credential", "example.com:alice:secret"));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_int(cfg, "pua", "min_expires", -1));
  CHECK_TEXT(says("min_expires"), pua_config_error(cfg));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_str(cfg, "pua", "min_expires", "60"));
  CHECK_TEXT(says("min_expires"), pua_config_error(cfg));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_int(cfg, "pua", "db_url", 1));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_str(cfg, "pua", "user_agent", "a\r\nX: y"));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_int(cfg, "pua", "min_expire", 60));
  CHECK_TEXT(says("no parameter \"min_expire\""), pua_config_error(cfg));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_int(cfg, "presence", "min_expires", 60));
  CHECK_TEXT(says("unknown module \"presence\""), pua_config_error(cfg));
}

TEST(ApiConfig, parameters_set_one_by_one_must_fit_together_too) {
  for (const Parameters& bad : {Parameters{{"min_expires", "700"}, {"max_expires", "600"}},
                                Parameters{{"min_expires", "500"}, {"max_expires", "3600,dialog=400"}},
                                Parameters{{"default_expires", "7200"}, {"max_expires", "600"}}}) {
    LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start(bad));
    CHECK_TEXT(std::string(pua_last_error(nullptr)).find("min_expires") != std::string::npos, pua_last_error(nullptr));
  }
  LONGS_EQUAL(PUA_OK, rig.start({{"min_expires", "60"}, {"max_expires", "600"}}));  // the default moves within
  LONGS_EQUAL(PUA_OK, rig.publish("sip:alice@example.com", kDocument, -1, nullptr));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  STRCMP_EQUAL("600", rig.server->seen[0].header("Expires").c_str());
  pua_config_t* fresh = rig.config({{"min_expires", "5000"}, {"max_expires", "600"}});
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_reload(rig.pua, fresh));
  pua_config_free(fresh);
}

// Each request would be refused for it, one by one.
TEST(ApiConfig, addresses_that_nothing_could_be_sent_to_are_refused_at_the_start) {
  for (const char* name : {"outbound_proxy", "contact"})
    for (const char* uri : {"sip:a%4@h", "sip:h:99999", "sip:a@b@h", "sip:[::1"}) {
      if (pua_config_set_str(cfg, "pua", name, uri) != PUA_OK) {   // known by itself
        CHECK_TEXT(std::string(pua_config_error(cfg)).find(name) != std::string::npos, pua_config_error(cfg));
        continue;
      }
      LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start({{name, uri}}));
      CHECK_TEXT(std::string(pua_last_error(nullptr)).find(name) != std::string::npos, pua_last_error(nullptr));
    }
  LONGS_EQUAL(PUA_OK, pua_config_set_str(cfg, "pua", "db_url", "memory:"));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_config_set_str(cfg, "pua_mi", "presence_server", "sip:h:99999"));
  STRCMP_CONTAINS("presence_server", pua_config_error(cfg));
}

TEST(ApiConfig, null_is_a_bad_argument) {
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_load(nullptr, "x"));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_load(cfg, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_parse(nullptr, "", 0, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_parse(cfg, nullptr, 5, nullptr));
  LONGS_EQUAL(PUA_OK, pua_config_parse(cfg, nullptr, 0, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_set_str(cfg, "pua", "db_url", nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_set_str(nullptr, "pua", "db_url", "memory:"));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_set_int(cfg, nullptr, "min_expires", 1));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_config_set_int(cfg, "pua", nullptr, 1));
  CHECK(std::string(pua_config_error(nullptr)).find("NULL") != std::string::npos);
  pua_config_free(nullptr);
}

TEST(ApiConfig, reload_takes_what_can_change_and_names_the_rest) {
  LONGS_EQUAL(PUA_OK, rig.start());
  pua_config_t* fresh = rig.config({{"max_body", "300"}, {"hash_size", "12"}});
  LONGS_EQUAL(1, pua_reload(rig.pua, fresh));
  CHECK_TEXT(rig.error().find("hash_size") != std::string::npos, rig.error().c_str());
  std::string large(301, ' ');
  LONGS_EQUAL(PUA_E_TOO_LARGE, rig.publish("sip:alice@example.com", large.c_str(), 600, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_reload(rig.pua, nullptr));
  LONGS_EQUAL(PUA_OK, pua_config_set_str(fresh, "pua", "max_expires", "6000,nonsense=500"));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, pua_reload(rig.pua, fresh));
  CHECK_TEXT(rig.error().find("nonsense") != std::string::npos, rig.error().c_str());
  pua_config_free(fresh);
}
