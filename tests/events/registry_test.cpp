// The event packages: those built in, those added, and which bodies are looked at.
#include <string>

#include "events/registry.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

std::string text(std::string_view v) { return std::string(v); }

}  // namespace

TEST_GROUP(Registry) {
  Registry reg;
  std::string out, tuple;
  bool unchanged = false;

  Result<Unit> apply(int32_t event, std::string_view type, std::string_view body) {
    BodyRequest r;
    r.event = event;
    r.content_type = type;
    r.body = body;
    r.pres_uri = "sip:alice@example.com";
    r.version = 5;
    out = "untouched";
    return reg.process(r, out, unchanged, tuple);
  }
  void passes(int32_t event, std::string_view type, std::string_view body) {
    unchanged = false;
    auto r = apply(event, type, body);
    if (!r) FAIL(r.error().message.c_str());
    CHECK_TRUE(unchanged);
    STRCMP_EQUAL("untouched", out.c_str());
  }
};

TEST(Registry, built_in_packages_have_the_documented_bits_and_types) {
  struct {
    int32_t flag;
    const char *name, *type;
  } const expected[] = {
      {1, "presence", "application/pidf+xml"},
      {2, "presence.winfo", "application/watcherinfo+xml"},
      {4, "dialog;sla", "application/dialog-info+xml"},
      {8, "message-summary", "application/simple-message-summary"},
      {16, "conference", "application/conference-info+xml"},
      {32, "xcap-diff", "application/xcap-diff+xml"},
      {64, "dialog", "application/dialog-info+xml"},
      {128, "call-info", ""},
      {256, "reg", "application/reginfo+xml"},
  };
  for (auto& e : expected) {
    const EventInfo* i = reg.by_flag(e.flag);
    CHECK(i != nullptr);
    LONGS_EQUAL(e.flag, i->flag);
    STRCMP_EQUAL(e.name, text(i->name).c_str());
    STRCMP_EQUAL(e.type, text(i->content_type).c_str());
    POINTERS_EQUAL(i, reg.by_name(e.name));
  }
}

TEST(Registry, names_are_compared_without_case_and_winfo_has_two) {
  LONGS_EQUAL(1, reg.by_name("PRESENCE")->flag);
  LONGS_EQUAL(4, reg.by_name("Dialog;SLA")->flag);
  LONGS_EQUAL(2, reg.by_name("presence;winfo")->flag);
  STRCMP_EQUAL("presence.winfo", text(reg.by_name("Presence;Winfo")->name).c_str());
}

TEST(Registry, what_is_not_registered_is_not_found) {
  for (const char* n : {"", "presenc", "presencee", "dialog;x", "as-feature-event"}) POINTERS_EQUAL(nullptr, reg.by_name(n));
  for (int32_t f : {0, -1, 3, 512, 1 << 30, static_cast<int32_t>(0x80000000u)}) POINTERS_EQUAL(nullptr, reg.by_flag(f));
  CHECK(apply(512, "", "x").code() == Errc::unknown_event);
  CHECK(apply(3, "", "x").code() == Errc::unknown_event);
}

TEST(Registry, a_package_can_be_added) {
  CHECK(reg.add(1 << 30, "as-feature-event", "application/x-as-feature-event+xml").ok());
  CHECK(reg.add(512, "vendor.x;y", "").ok());
  LONGS_EQUAL(1 << 30, reg.by_name("as-feature-event")->flag);
  STRCMP_EQUAL("vendor.x;y", text(reg.by_flag(512)->name).c_str());
  passes(512, "text/plain", "anything");
}

TEST(Registry, adding_a_known_name_is_accepted_and_changes_nothing) {
  bool called = false;
  auto p = [&](const BodyRequest&, std::string&, bool&, std::string&) -> Result<Unit> {
    called = true;
    return success();
  };
  CHECK(reg.add(1, "presence", "text/plain", p).ok());
  CHECK(reg.add(1024, "Presence", "text/plain", p).ok());
  CHECK(reg.add(1024, "presence;winfo", "text/plain", p).ok());
  STRCMP_EQUAL("application/pidf+xml", text(reg.by_flag(1)->content_type).c_str());
  POINTERS_EQUAL(nullptr, reg.by_flag(1024));
  passes(1, "", "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:a@b'/>");
  CHECK_FALSE(called);
}

TEST(Registry, a_flag_that_is_taken_or_not_one_bit_is_refused) {
  auto r = reg.add(64, "other", "");
  CHECK(r.code() == Errc::bad_argument);
  STRCMP_EQUAL("the event flag 64 belongs to event dialog", r.error().message.c_str());
  for (int32_t f : {0, -1, 3, 513, static_cast<int32_t>(0x80000000u)}) CHECK(reg.add(f, "other", "").code() == Errc::bad_argument);
  POINTERS_EQUAL(nullptr, reg.by_name("other"));
}

TEST(Registry, names_and_types_that_do_not_fit_a_header_are_refused) {
  for (const char* n : {"", "a b", "a\r\nX: y", "a,b", "\xc3\xa9", ";", "a;", ";a", "a;;b", "a;id", "a;id=5"}) CHECK(reg.add(512, n, "").code() == Errc::bad_argument);
  CHECK(reg.add(512, std::string(129, 'a'), "").code() == Errc::bad_argument);
  for (const char* t : {"text", "/", "text/", "/plain", "text/plain\r\n", "te xt/plain", "text/plain; a\n=b", "*/*", "text/*",
                        "*/plain", "*/*;q=0.1", "a/b, c/d", "a/b/c"}) {
    CHECK(reg.add(512, "other", t).code() == Errc::bad_argument);
  }
  CHECK(reg.add(512, "other", "text/plain; charset=utf-8").ok());
  CHECK(reg.add(1024, "a;b;ids", "x*/y*").ok());   // * is a character like others within a name
}

TEST(Registry, a_processor_sees_the_request_and_its_answer_counts) {
  auto p = [](const BodyRequest& r, std::string& o, bool& same, std::string& t) -> Result<Unit> {
    if (r.body == "bad") return {Errc::bad_body, "said so"};
    same = false;
    o = std::string(r.content_type) + "|" + std::string(r.body) + "|" + t;
    t = "new";
    return success();
  };
  CHECK(reg.add(512, "other", "text/plain", p).ok());
  tuple = "old";
  CHECK(apply(512, "", "x").ok());
  CHECK_FALSE(unchanged);
  STRCMP_EQUAL("text/plain|x|old", out.c_str());
  STRCMP_EQUAL("new", tuple.c_str());
  CHECK(apply(512, "a/b", "x").ok());
  STRCMP_EQUAL("a/b|x|new", out.c_str());
  STRCMP_EQUAL("said so", apply(512, "", "bad").error().message.c_str());
}

TEST(Registry, presence_documents_get_their_ids) {
  CHECK(apply(1, "Application/PIDF+XML ; charset=utf-8", "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:a@b'><tuple><status/></tuple></presence>").ok());
  CHECK_FALSE(unchanged);
  CHECK_FALSE(tuple.empty());
  STRCMP_EQUAL(("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:a@b'><tuple id=\"" + tuple + "\"><status/></tuple></presence>").c_str(), out.c_str());
  CHECK(apply(1, "", "no xml").code() == Errc::bad_body);
}

TEST(Registry, versions_are_set_in_dialog_sla_winfo_and_reg) {
  const char* const di = "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='0'/>";
  for (int32_t e : {4, 64}) {
    CHECK(apply(e, "", di).ok());
    STRCMP_EQUAL("<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version=\"5\"/>", out.c_str());
  }
  CHECK(apply(256, "application/reginfo+xml", "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='0'/>").ok());
  STRCMP_EQUAL("<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version=\"5\"/>", out.c_str());
  CHECK(apply(2, "", "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='0'/>").ok());
  STRCMP_EQUAL("<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version=\"5\"/>", out.c_str());
}

TEST(Registry, xml_of_every_package_must_be_safe) {
  for (int32_t e : {1, 2, 4, 16, 32, 64, 256}) {
    CHECK(apply(e, "", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>").code() == Errc::bad_body);
    CHECK(apply(e, "", "<a>").code() == Errc::bad_body);
    CHECK(apply(e, "", std::string((1 << 20) + 1, ' ')).code() == Errc::too_large);
  }
}

TEST(Registry, message_summaries_are_checked) {
  passes(8, "", "Messages-Waiting: yes\r\n");
  CHECK(apply(8, "", "Messages-Waiting: perhaps\r\n").code() == Errc::bad_body);
}

TEST(Registry, documents_of_other_types_go_as_they_are) {
  for (int32_t e : {1, 2, 4, 8, 16, 32, 64, 128, 256}) passes(e, "text/plain", "not xml");
  passes(1, "application/pidf-diff+xml", "<x");
  passes(128, "", "x");
}

TEST(Registry, each_package_accepts_its_own_type) {
  struct {
    int32_t flag;
    const char* accept;
  } const expected[] = {
      {1, "application/pidf+xml"},         {2, "application/watcherinfo+xml"},       {4, "application/dialog-info+xml"},
      {8, "application/simple-message-summary"}, {16, "application/conference-info+xml"}, {32, "application/xcap-diff+xml"},
      {64, "application/dialog-info+xml"}, {128, ""},                                {256, "application/reginfo+xml"},
  };
  for (auto& e : expected) {
    STRCMP_EQUAL(e.accept, text(reg.by_flag(e.flag)->accept).c_str());
    if (*e.accept) CHECK_TRUE(reg.accepts(e.flag, e.accept));
    CHECK_TRUE(reg.accepts(e.flag, "text/plain") == !*e.accept);
  }
}

TEST(Registry, added_packages_accept_their_type_without_its_parameters_or_any) {
  CHECK(reg.add(512, "other", "Text/Plain; charset=\"a,b\"").ok());
  CHECK(reg.add(1024, "any", "").ok());
  STRCMP_EQUAL("Text/Plain", text(reg.by_flag(512)->accept).c_str());
  CHECK_TRUE(reg.accepts(512, "text/plain"));
  CHECK_FALSE(reg.accepts(512, "text/html"));
  STRCMP_EQUAL("", text(reg.by_flag(1024)->accept).c_str());
  CHECK_TRUE(reg.accepts(1024, "text/html"));
}

TEST(Registry, content_types_are_accepted_without_case_and_parameters) {
  CHECK_TRUE(reg.accepts(1, "APPLICATION/pidf+XML;charset=UTF-8"));
  CHECK_TRUE(reg.accepts(1, " application/pidf+xml ; a=\"b;c\""));
  for (const char* t : {"", "application/pidf", "application/pidf+xml2", "application/cpim-pidf+xml", "application / pidf+xml", ";"}) {
    CHECK_FALSE(reg.accepts(1, t));
  }
  CHECK_TRUE(reg.accepts(128, ""));
}

TEST(Registry, nothing_is_accepted_for_events_that_are_not_registered) {
  for (int32_t f : {0, -1, 3, 512}) CHECK_FALSE(reg.accepts(f, "application/pidf+xml"));
}

TEST(Registry, resource_lists_are_never_accepted) {
  for (int32_t f : {1, 128}) {
    CHECK_FALSE(reg.accepts(f, "multipart/related;type=\"application/rlmi+xml\";start=\"<a@b>\";boundary=\"x\""));
    CHECK_FALSE(reg.accepts(f, "Multipart/Related; type=Application/RLMI+xml"));
    CHECK_FALSE(reg.accepts(f, "application/rlmi+xml"));
  }
  CHECK_TRUE(reg.accepts(128, "multipart/mixed;boundary=x"));
  CHECK_FALSE(reg.accepts(1, "multipart/mixed;boundary=x"));
}

TEST(Registry, allow_events_names_each_event_once_and_grows) {
  STRCMP_EQUAL("presence, presence.winfo, dialog, message-summary, conference, xcap-diff, call-info, reg",
               text(reg.allow_events()).c_str());
  CHECK(reg.add(512, "as-feature-event", "").ok());
  CHECK(reg.add(1 << 20, "vendor.x;y", "").ok());
  CHECK(reg.add(1 << 21, "Vendor.X", "").ok());
  CHECK(reg.add(1 << 22, ";odd", "").code() == Errc::bad_argument);
  CHECK(reg.add(1 << 23, "Presence", "").ok());
  STRCMP_EQUAL("presence, presence.winfo, dialog, message-summary, conference, xcap-diff, call-info, reg, as-feature-event, vendor.x",
               text(reg.allow_events()).c_str());
}
