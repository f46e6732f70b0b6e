// What is read from the documents of NOTIFYs: version and state, and which documents are refused.
#include <string>

#include "events/inspect.h"
#include "events/registry.h"
#include "tests/events/schema.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

const char* const kWinfo = "application/watcherinfo+xml";
const char* const kDialog = "application/dialog-info+xml";
const char* const kReg = "application/reginfo+xml";
const char* const kConference = "application/conference-info+xml";
const char* const kPidf = "application/pidf+xml";
const char* const kSummary = "application/simple-message-summary";

std::string winfo(const std::string& attributes) {
  return "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\"" + attributes + "/>";
}
std::string dialog(const std::string& attributes) {
  return "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" entity=\"sip:a@example.com\"" + attributes + "/>";
}
std::string reginfo(const std::string& attributes) {
  return "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\"" + attributes + "/>";
}
std::string conference(const std::string& attributes) {
  return "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:c@example.com\"" + attributes + "/>";
}

}  // namespace

TEST_GROUP(Inspect) {
  XmlReader reader;

  void state(const std::string& type, const std::string& body, DocumentState::Kind kind, uint32_t version, bool valid = true) {
    auto r = inspect_document(reader, type, body);
    if (!r) FAIL(r.error().message.c_str());
    LONGS_EQUAL(static_cast<int>(kind), static_cast<int>(r->kind));
    UNSIGNED_LONGS_EQUAL(version, r->version);
    if (valid && schemas_present()) STRCMP_EQUAL("", schema_error(body).c_str());
  }
  void full(const std::string& type, const std::string& body, uint32_t version) {
    state(type, body, DocumentState::Kind::Full, version, type != kConference);
  }
  void partial(const std::string& type, const std::string& body, uint32_t version) {
    state(type, body, DocumentState::Kind::Partial, version, type != kConference);
  }
  void opaque(const std::string& type, const std::string& body) { state(type, body, DocumentState::Kind::Opaque, 0, false); }
  void refused(const std::string& type, const std::string& body, const std::string& message, Errc code = Errc::bad_body) {
    auto r = inspect_document(reader, type, body);
    CHECK_TEXT(!r.ok(), body.substr(0, 100).c_str());
    STRCMP_EQUAL(message.c_str(), r.error().message.c_str());
    CHECK(r.code() == code);
  }
};

TEST(Inspect, version_and_state_are_read_from_all_versioned_documents) {
  full(kWinfo, winfo(" version=\"0\" state=\"full\""), 0);
  partial(kWinfo, winfo(" version=\"17\" state=\"partial\""), 17);
  full(kDialog, dialog(" version=\"1\" state=\"full\""), 1);
  partial(kDialog, dialog(" state=\"partial\" version=\"4294967295\""), 4294967295u);
  full(kReg, reginfo(" version=\"2\" state=\"full\""), 2);
  partial(kReg, reginfo(" version=\"3\" state=\"partial\""), 3);
  full(kConference, conference(" version=\"4\" state=\"full\""), 4);
  partial(kConference, conference(" version=\"5\" state=\"partial\""), 5);
}

TEST(Inspect, content_types_are_compared_without_case_and_parameters) {
  full("Application/WatcherInfo+XML ; charset=\"utf-8\"", winfo(" version=\"6\" state=\"full\""), 6);
}

TEST(Inspect, prefixes_children_and_declarations_do_not_matter) {
  full(kDialog,
       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- 1 --><d:dialog-info xmlns:d=\"urn:ietf:params:xml:ns:dialog-info\" "
       "version=\"7\" state=\"full\" entity=\"sip:a@example.com\">\n <d:dialog id=\"1\"><d:state>early</d:state></d:dialog>\n"
       "</d:dialog-info>\n", 7);
}

TEST(Inspect, versions_are_numbers_of_32_bits_with_blanks_and_zeros) {
  full(kReg, reginfo(" version=\" 0012\n\" state=\"full\""), 12);
  full(kReg, reginfo(" version=\"+3\" state=\"full\""), 3);
  for (const char* v : {"", " ", "-1", "1.0", "0x1", "1 2", "one", "4294967296", "99999999999999999999", "++1", "+-1"})
    opaque(kReg, reginfo(std::string(" version=\"") + v + "\" state=\"full\""));
}

// What is not said is not known: such a document is shown, and no gap is looked for.
TEST(Inspect, a_missing_version_makes_it_opaque_and_a_state_that_is_none_full) {
  opaque(kWinfo, winfo(" state=\"full\""));
  opaque(kWinfo, winfo(" state=\"partial\""));
  opaque(kWinfo, "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" xmlns:x=\"u\" x:version=\"1\" state=\"full\"/>");
  state(kWinfo, winfo(" version=\"1\""), DocumentState::Kind::Full, 1, false);
  state(kDialog, dialog(" version=\"1\" state=\"Full\""), DocumentState::Kind::Full, 1, false);
  state(kDialog, dialog(" version=\"1\" state=\"PARTIAL \""), DocumentState::Kind::Partial, 1, false);
  state(kDialog, dialog(" version=\"1\" state=\"deleted\""), DocumentState::Kind::Full, 1, false);
  state(kReg, reginfo(" version=\"1\" state=\"\""), DocumentState::Kind::Full, 1, false);
}

TEST(Inspect, conferences_have_full_state_unless_they_say_otherwise) {
  full(kConference, conference(" version=\"8\""), 8);
  full(kConference, conference(" version=\"9\" state=\"deleted\""), 9);
  opaque(kConference, conference(""));
  opaque(kConference, conference(" state=\"deleted\""));
  opaque(kConference, conference(" state=\"partial\""));
  full(kConference, conference(" version=\"1\" state=\"new\""), 1);
}

TEST(Inspect, another_root_element_is_refused) {
  refused(kWinfo, dialog(" version=\"1\" state=\"full\""),
          "the root element is \"dialog-info\" in namespace \"urn:ietf:params:xml:ns:dialog-info\", not \"watcherinfo\" in "
          "namespace \"urn:ietf:params:xml:ns:watcherinfo\"");
  refused(kReg, "<reginfo xmlns=\"urn:u\" version=\"1\" state=\"full\"/>",
          "the root element is \"reginfo\" in namespace \"urn:u\", not \"reginfo\" in namespace \"urn:ietf:params:xml:ns:reginfo\"");
  refused(kConference, "<x xmlns=\"urn:u\">" + conference(" version=\"1\"") + "</x>",
          "the root element is \"x\" in namespace \"urn:u\", not \"conference-info\" in namespace "
          "\"urn:ietf:params:xml:ns:conference-info\"");
}

TEST(Inspect, a_root_without_a_namespace_is_taken_for_what_its_type_says) {
  state(kReg, "<reginfo version=\"1\" state=\"full\"/>", DocumentState::Kind::Full, 1, false);
  state(kDialog, "<dialog-info version=\"2\" state=\"partial\"/>", DocumentState::Kind::Partial, 2, false);
  opaque(kPidf, "<presence/>");
}

TEST(Inspect, what_a_sender_wrote_is_quoted_short_and_printable) {
  const std::string wanted = "in namespace \"urn:ietf:params:xml:ns:reginfo\"";
  refused(kReg, "<" + std::string(41, 'v') + "/>",
          "the root element is \"" + std::string(40, 'v') + "...\" in no namespace, not \"reginfo\" " + wanted);
  refused(kReg, "<\xc3\xa9/>", "the root element is \"??\" in no namespace, not \"reginfo\" " + wanted);
}

TEST(Inspect, malformed_and_unsafe_documents_are_refused_whatever_their_root_says) {
  const std::string start = "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"1\" state=\"full\">";
  refused(kWinfo, "", "the document is empty");
  refused(kWinfo, start, "not well-formed XML, line 1: Premature end of data in tag watcherinfo line 1");
  refused(kWinfo, start + "<a></watcherinfo>", "not well-formed XML, line 1: Opening and ending tag mismatch: a line 1 and watcherinfo");
  refused(kWinfo, start + "&x;</watcherinfo>", "not well-formed XML, line 1: Entity 'x' not defined");
  refused(kWinfo, start + "</watcherinfo>x", "not well-formed XML, line 1: Extra content at the end of the document");
  const std::string declares = "<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/\" [<!ENTITY b \"c\">]>";
  state(kWinfo, declares + start + "</watcherinfo>", DocumentState::Kind::Full, 1, false);   // nothing of it is used
  refused(kWinfo, declares + start + "&b;</watcherinfo>", "not well-formed XML, line 1: Entity 'b' not defined");
  refused(kWinfo, std::string((1 << 20) + 1, ' '), "the document is longer than 1048576 octets", Errc::too_large);
}

TEST(Inspect, presence_is_well_formed_pidf) {
  state(kPidf, "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:a@example.com\"/>", DocumentState::Kind::Opaque, 0);
  opaque(kPidf, "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' version='3' state='partial'/>");
  refused(kPidf, "<presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple></presence>",
          "not well-formed XML, line 1: Opening and ending tag mismatch: tuple line 1 and presence");
  refused(kPidf, "offline", "not an XML document: it does not begin with '<'");
}

TEST(Inspect, message_summaries_begin_with_messages_waiting) {
  opaque(kSummary, "Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n");
  opaque(kSummary, "messages-waiting:no");
  opaque(kSummary, "Messages-Waiting: yes\r\nno colon here\r\n");
  for (const char* b : {"", "Messages-Waiting", "Messages-Waiting: maybe\r\n", "\r\nMessages-Waiting: yes", "Voice-Message: 1/0\r\n"}) {
    refused(kSummary, b, "message summary, line 1: \"Messages-Waiting: yes\" or \"Messages-Waiting: no\" expected");
  }
}

TEST(Inspect, other_types_are_not_looked_at) {
  for (const char* t : {"text/plain", "application/xcap-diff+xml", "application/pidf-diff+xml", "application/watcherinfo", ""}) {
    opaque(t, "<not xml");
    opaque(t, "");
  }
}

TEST(Inspect, the_registry_looks_by_content_type) {
  Registry reg;
  auto r = reg.inspect(2, kWinfo, winfo(" version=\"5\" state=\"partial\""));
  CHECK(r.ok());
  CHECK(r->kind == DocumentState::Kind::Partial);
  UNSIGNED_LONGS_EQUAL(5, r->version);
  CHECK(reg.inspect(4, kDialog, "<dialog-info").code() == Errc::bad_body);
  CHECK(reg.inspect(128, "text/plain", "x").ok());
}
