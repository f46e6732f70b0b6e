// Versions of dialog-info, reginfo and watcherinfo documents; message summaries.
#include <string>

#include "events/documents.h"
#include "tests/events/schema.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(VersionedXml) {
  XmlReader reader;
  std::string out;
  bool unchanged = false;

  Status apply(const std::string& body, uint32_t version) {
    BodyRequest r;
    r.body = body;
    r.version = version;
    out.clear();
    return process_xml(reader, r, out, unchanged);
  }
  void becomes(const std::string& body, uint32_t version, const std::string& expected) {
    auto r = apply(body, version);
    if (!r) FAIL(r.error().message.c_str());
    CHECK_FALSE(unchanged);
    STRCMP_EQUAL(expected.c_str(), out.c_str());
    if (schemas_present() && out.find("xmlns") != std::string::npos) STRCMP_EQUAL("", schema_error(out).c_str());
  }
  void stays(const std::string& body, uint32_t version) {
    auto r = apply(body, version);
    if (!r) FAIL(r.error().message.c_str());
    CHECK_TRUE(unchanged);
    STRCMP_EQUAL("", out.c_str());
  }
};

TEST(VersionedXml, the_version_is_set_in_all_three_documents) {
  becomes("<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" entity=\"sip:a@b\"/>", 7,
          "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" entity=\"sip:a@b\"/>");
  becomes("<r:reginfo xmlns:r=\"urn:ietf:params:xml:ns:reginfo\" version='00000000000' state=\"full\"></r:reginfo>", 4294967295u,
          "<r:reginfo xmlns:r=\"urn:ietf:params:xml:ns:reginfo\" version=\"4294967295\" state=\"full\"></r:reginfo>");
  becomes("<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"1\" state=\"full\"/>", 2,
          "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"2\" state=\"full\"/>");
}

TEST(VersionedXml, a_missing_version_is_added) {
  becomes("<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" state=\"partial\" entity=\"sip:a@b\"/>", 3,
          "<dialog-info version=\"3\" xmlns=\"urn:ietf:params:xml:ns:dialog-info\" state=\"partial\" entity=\"sip:a@b\"/>");
  becomes("<dialog-info/>", 3, "<dialog-info version=\"3\"/>");
}

TEST(VersionedXml, the_right_version_stays) {
  stays("<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" entity=\"sip:a@b\"/>", 7);
}

TEST(VersionedXml, other_documents_and_inner_elements_stay) {
  stays("<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" version=\"1\"/>", 9);
  stays("<dialog-info xmlns=\"urn:other\" version=\"1\"/>", 9);
  stays("<x><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\"/></x>", 9);
}

TEST(VersionedXml, what_is_not_xml_is_refused) {
  auto r = apply("<dialog-info", 1);
  CHECK_FALSE(r.ok());
  CHECK(r.code() == Errc::bad_body);
  CHECK(apply("<!DOCTYPE dialog-info><dialog-info/>", 1).code() == Errc::bad_body);
}

TEST_GROUP(MessageSummary) {
  void good(const char* body) {
    auto r = check_message_summary(body);
    if (!r) FAIL(r.error().message.c_str());
  }
  void refused(const std::string& body, const char* message) {
    auto r = check_message_summary(body);
    CHECK_FALSE(r.ok());
    CHECK(r.code() == Errc::bad_body);
    STRCMP_EQUAL(message, r.error().message.c_str());
  }
};

TEST(MessageSummary, summaries_of_rfc_3842_are_taken) {
  good("Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n");
  good("Messages-Waiting: no\r\n");
  good("messages-waiting : YES");
  good("Messages-Waiting: yes\nVoice-Message: 4/8 (1/2)\n\nTo: <alice@example.com>\nSubject: a\n  folded\nDate: x\n\n");
}

TEST(MessageSummary, anything_else_is_refused_with_its_line) {
  const char* const first = "message summary, line 1: \"Messages-Waiting: yes\" or \"Messages-Waiting: no\" expected";
  refused("", first);
  refused("hello", first);
  refused("Messages-Waiting: maybe\r\n", first);
  refused("\r\nMessages-Waiting: yes\r\n", first);
  refused("Voice-Message: 1/0\r\nMessages-Waiting: yes\r\n", first);
  refused("<presence/>", first);
  refused("Messages-Waiting: yes\r\nVoice-Message 1/0\r\n", "message summary, line 2: \"name: value\" expected");
  refused("Messages-Waiting: yes\r\na b: 1\r\n", "message summary, line 2: \"name: value\" expected");
  refused(std::string("Messages-Waiting: yes\r\na: \0\r\n", 28), "message summary, line 2: control character");
}
