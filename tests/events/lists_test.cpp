// A list of documents in one NOTIFY (RFC 4662) is taken apart into what it says of each presentity.
#include <string>
#include <vector>

#include "events/lists.h"
#include "tests/events/schema.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

const std::string kType = "multipart/related;type=\"application/rlmi+xml\";start=\"<list@h>\";boundary=\"50UBfW7LSCVLtggUPe5z\"";

std::string rlmi(const std::string& inside, const std::string& attributes = "uri=\"sip:friends@h\" version=\"1\" fullState=\"true\"") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" " + attributes + ">" + inside + "</list>";
}
std::string part(const std::string& type, const std::string& id, const std::string& body) {
  return "--50UBfW7LSCVLtggUPe5z\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + id + ">\r\nContent-Type: " + type + "\r\n\r\n" + body + "\r\n";
}
const std::string kEnd = "--50UBfW7LSCVLtggUPe5z--";

}  // namespace

TEST_GROUP(Lists) {
  XmlReader reader;
  std::string error;

  std::vector<std::string> read(const std::string& type, const std::string& body) {
    std::vector<std::string> out;
    Status s = read_list(reader, type, body, [&](const ListedResource& r) {
      out.push_back(std::string(r.uri) + "|" + std::string(r.name) + "|" + std::string(r.instance) + "|" + std::string(r.state) + "|" +
                    std::string(r.reason) + "|" + std::string(r.content_type) + "|" + std::string(r.body));
    });
    error = s ? "" : s.error().message;
    return out;
  }
  void refused(const std::string& type, const std::string& body, const char* why) {
    LONGS_EQUAL(0, read(type, body).size());
    STRCMP_EQUAL(why, error.c_str());
  }
  std::vector<std::string> parts(const std::string& type, const std::string& body) {
    std::vector<std::string> out;
    auto found = split_multipart(type, body);
    error = found ? "" : found.error().message;
    if (found)
      for (const BodyPart& p : *found) out.push_back(std::string(p.content_type) + "|" + std::string(p.content_id) + "|" + std::string(p.body));
    return out;
  }
};

// The example of RFC 4662 section 6, shortened.
TEST(Lists, each_resource_comes_with_its_state_and_its_document) {
  std::string list = rlmi(
      "<name xml:lang=\"en\">Friends</name>"
      "<resource uri=\"sip:bob@h\"><name>Bob Smith</name><instance id=\"juwigmtboe\" state=\"active\" cid=\"bUZBsM@h\"/></resource>"
      "<resource uri=\"sip:dave@h\"><name>Dave</name><name xml:lang=\"de\">David</name><instance id=\"hqzsuxtfyq\" state=\"active\" cid=\"ZvSvkz@h\"/></resource>"
      "<resource uri=\"sip:jim@h\"/>"
      "<resource uri=\"sip:ed@h\"><instance id=\"a\" state=\"terminated\" reason=\"rejected\"/><instance id=\"b\" state=\"pending\"/></resource>");
  std::string body = part("application/rlmi+xml;charset=\"UTF-8\"", "list@h", list) + part("application/pidf+xml", "bUZBsM@h", "<presence a=\"1\"/>") +
                     part("multipart/related;boundary=x", "ZvSvkz@h", "--x\r\n\r\n1\r\n--x--") + kEnd;
  auto seen = read(kType, body);
  STRCMP_EQUAL("", error.c_str());
  LONGS_EQUAL(5, seen.size());
  STRCMP_EQUAL("sip:bob@h|Bob Smith|juwigmtboe|active||application/pidf+xml|<presence a=\"1\"/>", seen[0].c_str());
  STRCMP_EQUAL("sip:dave@h|Dave|hqzsuxtfyq|active||multipart/related;boundary=x|--x\r\n\r\n1\r\n--x--", seen[1].c_str());
  STRCMP_EQUAL("sip:jim@h||||||", seen[2].c_str());
  STRCMP_EQUAL("sip:ed@h||a|terminated|rejected||", seen[3].c_str());
  STRCMP_EQUAL("sip:ed@h||b|pending|||", seen[4].c_str());
}

TEST(Lists, the_list_may_come_alone_or_not_first) {
  std::string list = rlmi("<resource uri=\"sip:jim@h\"/>", "uri=\"sip:l@h\" version=\"4294967295\" fullState=\"0\"");
  Status s = read_list(reader, "application/rlmi+xml", list, [&](const ListedResource& r) {
    STRCMP_EQUAL("sip:l@h", std::string(r.list_uri).c_str());
    UNSIGNED_LONGS_EQUAL(4294967295u, r.version);
    CHECK_FALSE(r.full);
  });
  CHECK_TRUE(s.ok());
  LONGS_EQUAL(1, read(kType, part("text/plain", "a@h", "x") + part("application/rlmi+xml", "list@h", list) + kEnd).size());
  LONGS_EQUAL(0, read(kType, part("application/rlmi+xml", "list@h", rlmi("")) + kEnd).size());
  STRCMP_EQUAL("", error.c_str());     // a list of nobody
}

// As some write them: LF alone, text before and behind, no last boundary, blanks behind a boundary, a boundary of a part that begins alike.
TEST(Lists, parts_are_read_as_they_are_meant) {
  for (const char* body : {"--b\r\nContent-Type: t/a\r\n\r\none\r\n--b\r\nc: t/b\r\nContent-ID: <i>\r\n\r\n\r\n--b--\r\n",
                           "before\n--b  \nContent-Type: t/a\n\none\n--b\nc: t/b\nContent-ID: <i>\n\n\n--b--\nbehind",
                           "\r\n--b\r\nContent-Type:\r\n t/a\r\n\r\none\r\n--b\r\nc: t/b\r\ncontent-id: i\r\n\r\n"}) {
    auto seen = parts("multipart/mixed; boundary=b", body);
    LONGS_EQUAL_TEXT(2, seen.size(), body);
    STRCMP_EQUAL("t/a||one", seen[0].c_str());
    STRCMP_EQUAL("t/b|i|", seen[1].c_str());
  }
  auto seen = parts("Multipart/Related; Boundary=\"b\"", "--b\r\n\r\n--bb\r\nx --b\r\n--b--x\r\n--b--");
  LONGS_EQUAL(1, seen.size());
  STRCMP_EQUAL("||--bb\r\nx --b\r\n--b--x", seen[0].c_str());
  LONGS_EQUAL(1, parts("multipart/mixed;boundary=b", "--b\r\n").size());   // a part of nothing
  LONGS_EQUAL(0, parts("multipart/mixed;boundary=b", "--b--\r\n--b\r\n").size());
  STRCMP_EQUAL("", error.c_str());
}

TEST(Lists, what_is_no_list_is_refused_by_name) {
  refused("application/pidf+xml", "<presence/>", "Content-Type \"application/pidf+xml\" is no list");
  refused("multipart/related", "--b\r\n", "Content-Type \"multipart/related\" names no boundary");
  refused("multipart/related;boundary=b", "--c\r\n", "the boundary \"b\" does not come");
  refused("multipart/related;boundary=b", "--b--\r\n", "no part is the list that start names");
  refused("multipart/related;boundary=b;start=\"<x>\"", "--b\r\nContent-ID: <y>\r\n\r\n\r\n--b--", "no part is the list that start names");
  refused("multipart/related;boundary=b", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", "the first part is \"text/plain\", not application/rlmi+xml");
  auto bad = [&](const std::string& document, const char* why) { refused("application/rlmi+xml", document, why); };
  bad("<presence xmlns=\"urn:ietf:params:xml:ns:rlmi\"/>", "the root element is \"presence\", not \"list\"");
  bad(rlmi("", "uri=\"sip:l@h\" fullState=\"true\""), "<list> has no version");
  bad(rlmi("", "uri=\"sip:l@h\" version=\"-1\" fullState=\"true\""), "version \"-1\" is not a number from 0 to 4294967295");
  bad(rlmi("", "uri=\"sip:l@h\" version=\"1\" fullState=\"yes\""), "fullState \"yes\" is not \"true\" or \"false\"");
  bad(rlmi("", "uri=\"sip:l@h\" version=\"1\""), "<list> has no fullState");
  std::string many;
  for (size_t i = 0; i <= kMaxParts; i++) many += "--b\r\n\r\n\r\n";
  refused("multipart/related;boundary=b", many, "more than 10000 parts");
}

// Once: one resource without uri, and nothing of a hundred others was shown.
TEST(Lists, what_lacks_something_is_left_out_and_counted_and_the_others_are_shown) {
  std::string list = rlmi("<resource uri=\"sip:a@h\"><instance id=\"1\" state=\"active\"/></resource>"
                          "<resource><name>nobody</name><instance id=\"2\" state=\"active\"/></resource><resource uri=\" \"/>"
                          "<resource uri=\"sip:b@h\"><name>B</name><instance id=\"3\"/><instance state=\"active\"/><instance id=\"4\" state=\"pending\"/></resource>"
                          "<resource uri=\"sip:c@h\"><instance/></resource>", "version=\"1\" fullState=\"true\"");
  auto seen = read("application/rlmi+xml", list);
  STRCMP_EQUAL("", error.c_str());
  LONGS_EQUAL(3, seen.size());
  STRCMP_EQUAL("sip:a@h||1|active|||", seen[0].c_str());
  STRCMP_EQUAL("sip:b@h|B|4|pending|||", seen[1].c_str());
  STRCMP_EQUAL("sip:c@h||||||", seen[2].c_str());   // it is of the list all the same
  CHECK(read_list(reader, "application/rlmi+xml", list, [](const ListedResource& r) {
    LONGS_EQUAL(5, r.skipped);
    STRCMP_EQUAL("", std::string(r.list_uri).c_str());
  }).ok());
}

TEST(Lists, a_document_that_did_not_come_is_told_from_one_that_nobody_promised) {
  std::string list = rlmi("<resource uri=\"sip:a@h\"><instance id=\"1\" state=\"active\" cid=\"gone@h\"/><instance id=\"2\" state=\"active\"/>"
                          "<instance id=\"3\" state=\"active\" cid=\"list@h\"/><instance id=\"4\" state=\"active\" cid=\"&lt;a@h&gt;\"/>"
                          "<instance id=\"5\" state=\"active\" cid=\"cid:a@h\"/></resource>");
  std::string body = part("application/rlmi+xml", "list@h", list) + part("text/plain", "a@h", "first") + part("text/plain", "a@h", "second") +
                     part("text/plain", "", "of nobody") + kEnd;
  std::vector<std::string> seen;
  CHECK(read_list(reader, kType, body, [&](const ListedResource& r) { seen.push_back((r.missing ? "missing " : "") + std::string(r.body)); }).ok());
  LONGS_EQUAL(5, seen.size());
  STRCMP_EQUAL("missing ", seen[0].c_str());
  STRCMP_EQUAL("", seen[1].c_str());
  STRCMP_EQUAL("missing ", seen[2].c_str());   // the list itself is no document of its own resource
  STRCMP_EQUAL("first", seen[3].c_str());
  STRCMP_EQUAL("first", seen[4].c_str());
}

TEST(Lists, the_list_is_found_in_other_multiparts_and_where_start_is_wrong) {
  std::string list = rlmi("<resource uri=\"sip:a@h\"><instance id=\"1\" state=\"active\" cid=\"a@h\"/></resource>");
  std::string inner = "--in\r\nContent-Type: text/plain\r\n\r\nhello\r\n--in--";
  std::string body = part("text/plain", "x@h", "see the list") + part("application/rlmi+xml", "list@h", list) + part("multipart/alternative;boundary=in", "a@h", inner) + kEnd;
  for (const char* type : {"multipart/mixed;boundary=\"50UBfW7LSCVLtggUPe5z\"", "multipart/related;boundary=50UBfW7LSCVLtggUPe5z;start=\"<other@h>\"",
                           "multipart/related;boundary=50UBfW7LSCVLtggUPe5z;start=\"<x@h>\"", "Multipart/Related;boundary=50UBfW7LSCVLtggUPe5z"}) {
    auto seen = read(type, body);
    LONGS_EQUAL_TEXT(1, seen.size(), type);
    STRCMP_EQUAL(("sip:a@h||1|active||multipart/alternative;boundary=in|" + inner).c_str(), seen[0].c_str());
  }
}

TEST(Lists, elements_of_others_are_passed_over) {
  auto seen = read("application/rlmi+xml", rlmi("<resource uri=\"sip:o@h\"/><x:resource xmlns:x=\"urn:x\" uri=\"sip:x@h\"><instance id=\"0\" state=\"active\"/></x:resource>"
                                                "<resource uri=\"sip:a@h\"><note><name>no</name></note><instance id=\"1\" state=\"active\"><name>no</name></instance></resource>"));
  LONGS_EQUAL(2, seen.size());
  STRCMP_EQUAL("sip:o@h||||||", seen[0].c_str());
  STRCMP_EQUAL("sip:a@h||1|active|||", seen[1].c_str());
}
