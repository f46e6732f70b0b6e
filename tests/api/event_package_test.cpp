// The parameter event_package: what a check of the configuration says is what the start says, and a bit that records use keeps its name.
#include <string>
#include <vector>

#include "api/policy_settings.h"
#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

TEST_GROUP(ApiEventPackage) {
  Rig rig;

  Parameters stored(const std::string& package) const {
    Parameters p{{"db_url", "sqlite://" + rig.dir.path("pua.db")}};
    if (!package.empty()) p.emplace_back("event_package", package);
    return p;
  }
  std::string checked(const std::vector<std::string>& packages) {
    pua::Settings s;
    s.db_url = "memory:";
    s.event_packages = packages;
    pua::Status r = pua::check_settings(s);
    return r ? "" : r.error().message;
  }
  std::string started(const std::vector<std::string>& packages) {
    Parameters p{{"db_url", "memory:"}};
    for (const std::string& text : packages) p.emplace_back("event_package", text);
    int status = rig.start(p);
    if (status == PUA_OK) return rig.stop(), "";
    LONGS_EQUAL(PUA_E_BAD_CONFIG, status);
    return pua_last_error(nullptr);
  }
  int publish_package(int event) {
    std::string address = "sip:alice@example.com", document = "x";
    pua_str_t uri = text(address), body = text(document);
    publ_info_t p{};
    p.pres_uri = &uri;
    p.body = &body;
    p.event = event;
    p.source_flag = UL_PUBLISH;
    p.expires = 600;
    return rig.send(p);
  }
};

TEST(ApiEventPackage, the_check_says_what_the_start_says) {
  struct {
    std::vector<std::string> packages;
    const char* fault;   // behind `parameter "event_package": `; "": none
  } const table[] = {
      {{"vq-rtcpxr,512,application/vq-rtcpxr"}, ""},
      {{"vq-rtcpxr , 512 , application/vq-rtcpxr"}, ""},
      {{"vq-rtcpxr,512"}, ""},
      {{"dialog;x,512,a/b"}, ""},
      {{"a,512,a/b", "b,1024,a/b"}, ""},
      {{"a,512,a/b", "A,512,a/b"}, ""},
      {{"presence,1"}, ""},
      {{"presence,1,application/pidf+xml"}, ""},
      {{"x y,1024,a/b"}, "\"x y,1024,a/b\": the event name is not a token of 1 to 128 characters"},
      {{"a;id=1,1024,a/b"}, "\"a;id=1,1024,a/b\": the event name is not a token of 1 to 128 characters"},
      {{"a;,1024,a/b"}, "\"a;,1024,a/b\": the event name is not a token of 1 to 128 characters"},
      {{"a,1024,*/*"}, "\"a,1024,*/*\": the content type is not type/subtype without *, or it is longer than 255 characters"},
      {{"a,1024,a/*"}, "\"a,1024,a/*\": the content type is not type/subtype without *, or it is longer than 255 characters"},
      {{"a,1024,a"}, "\"a,1024,a\": the content type is not type/subtype without *, or it is longer than 255 characters"},
      {{"a,1024,a/b, c/d"}, "\"a,1024,a/b, c/d\": the content type is not type/subtype without *, or it is longer than 255 characters"},
      {{"PRESENCE,2048,a/b"}, "\"PRESENCE\" is there already, with the bit 1"},
      {{"presence;winfo,2048,a/b"}, "\"presence;winfo\" is there already, with the bit 2"},
      {{"presence,1,a/b"}, "\"presence\" is there already, with the content type application/pidf+xml"},
      {{"call-info,128,a/b"}, "\"call-info\" is there already, with no content type"},
      {{"a,1,a/b"}, "\"a,1,a/b\": the event flag 1 belongs to event presence"},
      {{"a,512,a/b", "b,512,a/b"}, "\"b,512,a/b\": the event flag 512 belongs to event a"},
      {{"a,512,a/b", "a,1024,a/b"}, "\"a\" is there already, with the bit 512"},
  };
  for (const auto& t : table) {
    std::string fault = *t.fault ? "parameter \"event_package\": " + std::string(t.fault) : "";
    STRCMP_EQUAL(fault.c_str(), checked(t.packages).c_str());
    STRCMP_EQUAL(fault.c_str(), started(t.packages).c_str());
  }
}

TEST(ApiEventPackage, max_expires_can_name_one_in_the_check_as_in_the_start) {
  pua::Settings s;
  s.db_url = "memory:";
  s.event_packages = {"vq-rtcpxr,512,application/vq-rtcpxr"};
  s.max_expires = "3600,vq-rtcpxr=600";
  CHECK(pua::check_settings(s).ok());
  LONGS_EQUAL(PUA_OK, rig.start({{"event_package", s.event_packages[0]}, {"max_expires", s.max_expires}}));
}

TEST(ApiEventPackage, a_bit_that_records_use_is_given_to_no_other_package) {
  LONGS_EQUAL(PUA_OK, rig.start(stored("vq-rtcpxr,512,a/b")));
  LONGS_EQUAL(PUA_OK, publish_package(512));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  rig.stop();
  LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start(stored("other,512,a/b")));
  STRCMP_EQUAL("parameter \"event_package\": the bit 512 stands for vq-rtcpxr in the database, and cannot be given to other while there may be "
               "records of it", pua_last_error(nullptr));
  LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start(stored("vq-rtcpxr,1024,a/b")));
  LONGS_EQUAL(PUA_OK, rig.start(stored("")));             // the record is kept aside, and so is its bit
  CHECK(rig.until([&] { return rig.stat("parked") == 1; }));
  rig.stop();
  LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start(stored("other,512,a/b")));
  LONGS_EQUAL(PUA_OK, rig.start(stored("VQ-RTCPXR,512,a/b")));
}

TEST(ApiEventPackage, nor_does_a_program_give_it_to_another) {
  LONGS_EQUAL(PUA_OK, rig.start(stored("")));
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, 512, "vq-rtcpxr", "a/b", nullptr));
  LONGS_EQUAL(PUA_OK, publish_package(512));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  rig.stop();
  LONGS_EQUAL(PUA_OK, rig.start(stored("")));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 512, "other", "a/b", nullptr));
  STRCMP_CONTAINS("the bit 512 stands for vq-rtcpxr in the database", rig.error().c_str());
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, 512, "VQ-RTCPXR", "a/b", nullptr));
}

TEST(ApiEventPackage, a_bit_without_records_is_free_after_a_start_without_its_package) {
  LONGS_EQUAL(PUA_OK, rig.start(stored("vq-rtcpxr,512,a/b")));
  rig.stop();
  LONGS_EQUAL(PUA_E_BAD_CONFIG, rig.start(stored("other,512,a/b")));
  LONGS_EQUAL(PUA_OK, rig.start(stored("")));
  CHECK(rig.until([&] { return rig.stat("loading") == 0; }));
  rig.settle();
  rig.stop();
  LONGS_EQUAL(PUA_OK, rig.start(stored("other,512,a/b")));
}
