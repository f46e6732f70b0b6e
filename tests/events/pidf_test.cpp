// Presence documents: ids that stay the same, the entity, and everything else left as it is.
#include <string>

#include "events/pidf.h"
#include "tests/events/schema.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

const std::string kNs = "xmlns=\"urn:ietf:params:xml:ns:pidf\"";
const std::string kEntity = " entity=\"pres:alice@example.com\"";
const std::string kDm = " xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"";
const std::string kOpen = "<status><basic>open</basic></status>";
// Derived from the key below; watchers know such ids, so they never change.
const std::string kId = "1d61f5c1d05ec0a5";

}  // namespace

TEST_GROUP(Pidf) {
  XmlReader reader;
  std::string pres_uri = "sip:alice@example.com", id, out, tuple;
  bool unchanged = false;
  int32_t source = 64;

  Result<Unit> apply(const std::string& body) {
    BodyRequest r;
    r.event = 1;
    r.content_type = "application/pidf+xml";
    r.body = body;
    r.pres_uri = pres_uri;
    r.id = id;
    r.source = source;
    out = "untouched";
    return process_pidf(reader, r, out, unchanged, tuple);
  }
  void becomes(const std::string& body, const std::string& expected) {
    auto r = apply(body);
    if (!r) FAIL(r.error().message.c_str());
    CHECK_FALSE(unchanged);
    STRCMP_EQUAL(expected.c_str(), out.c_str());
    valid(out);
    std::string again = out;
    stays(again);  // what was added needs no second time
  }
  void stays(const std::string& body) {
    auto r = apply(body);
    if (!r) FAIL(r.error().message.c_str());
    CHECK_TRUE(unchanged);
    STRCMP_EQUAL("untouched", out.c_str());
  }
  void refused(const std::string& body, const std::string& message) {
    auto r = apply(body);
    CHECK_FALSE(r.ok());
    CHECK(r.code() == Errc::bad_body);
    STRCMP_EQUAL(message.c_str(), r.error().message.c_str());
    STRCMP_EQUAL("untouched", out.c_str());
  }
  void valid(const std::string& document) {
    if (schemas_present()) STRCMP_EQUAL("", schema_error(document).c_str());
  }
};

TEST(Pidf, a_complete_document_stays_as_it_is) {
  std::string doc = "<?xml version='1.0' encoding=\"utf-8\"?>\n<!-- c --><presence " + kNs + kEntity + ">\n <tuple id='x1'>" + kOpen +
                    "<note>\xc3\xa9 &amp; &#169;</note></tuple>\r\n</presence>\n";
  stays(doc);
  STRCMP_EQUAL("x1", tuple.c_str());
  valid(doc);
}

TEST(Pidf, a_tuple_without_id_gets_one_that_stays_the_same) {
  for (int i = 0; i < 3; i++) {
    XmlReader other;  // as after a restart
    tuple.clear();
    becomes("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple></presence>",
            "<presence " + kNs + kEntity + "><tuple id=\"t" + kId + "\">" + kOpen + "</tuple></presence>");
    STRCMP_EQUAL(("t" + kId).c_str(), tuple.c_str());
  }
}

TEST(Pidf, ids_differ_between_records) {
  const std::string doc = "<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple></presence>";
  auto made = [&] {
    tuple.clear();
    CHECK(apply(doc).ok());
    return tuple;
  };
  std::string first = made();
  id = "b";
  std::string second = made();
  source = 1;
  std::string third = made();
  pres_uri = "sip:bob@example.com";
  std::string fourth = made();
  CHECK(first != second && second != third && third != fourth && first != fourth);
  pres_uri = "sip:alice@example.com";
  source = 64;
  id.clear();
  STRCMP_EQUAL(first.c_str(), made().c_str());
}

TEST(Pidf, an_id_that_no_row_takes_is_not_kept) {
  for (const std::string& odd : {std::string("a&#13;&#10;b"), std::string("&#9;"), std::string(kMaxTupleId + 1, 'x')}) {
    tuple = "before";
    CHECK(apply("<presence " + kNs + kEntity + "><tuple id=\"" + odd + "\">" + kOpen + "</tuple></presence>").ok());
    STRCMP_EQUAL("", tuple.c_str());
  }
}

TEST(Pidf, the_id_used_so_far_goes_on_if_the_document_has_none) {
  CHECK(apply("<presence " + kNs + kEntity + "><tuple id=\"phone\">" + kOpen + "</tuple></presence>").ok());
  STRCMP_EQUAL("phone", tuple.c_str());
  becomes("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple></presence>",
          "<presence " + kNs + kEntity + "><tuple id=\"phone\">" + kOpen + "</tuple></presence>");
  STRCMP_EQUAL("phone", tuple.c_str());
}

TEST(Pidf, the_id_used_so_far_is_not_used_twice_or_if_it_is_no_id) {
  tuple = "phone";
  becomes("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple><tuple id='phone'>" + kOpen + "</tuple></presence>",
          "<presence " + kNs + kEntity + "><tuple id=\"t" + kId + "\">" + kOpen + "</tuple><tuple id='phone'>" + kOpen + "</tuple></presence>");
  for (const char* bad : {"1a", "a b", "a\"b", "\xc3\xa9", "-"}) {
    tuple = bad;
    CHECK(apply("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple></presence>").ok());
    STRCMP_EQUAL(("t" + kId).c_str(), tuple.c_str());
  }
}

TEST(Pidf, several_tuples_get_ids_by_their_place) {
  becomes("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple><tuple id=\"b\">" + kOpen + "</tuple><tuple>" + kOpen + "</tuple></presence>",
          "<presence " + kNs + kEntity + "><tuple id=\"t" + kId + "\">" + kOpen + "</tuple><tuple id=\"b\">" + kOpen + "</tuple><tuple id=\"t" +
              kId + "-3\">" + kOpen + "</tuple></presence>");
}

TEST(Pidf, an_id_that_stands_elsewhere_in_the_document_is_avoided) {
  becomes("<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple><tuple id=\"t" + kId + "\">" + kOpen + "</tuple></presence>",
          "<presence " + kNs + kEntity + "><tuple id=\"t" + kId + ".1\">" + kOpen + "</tuple><tuple id=\"t" + kId + "\">" + kOpen + "</tuple></presence>");
}

TEST(Pidf, persons_and_devices_get_ids_tuples_may_be_missing) {
  becomes("<presence " + kNs + kDm + kEntity + "><dm:person/><dm:device><dm:deviceID>urn:x:1</dm:deviceID></dm:device></presence>",
          "<presence " + kNs + kDm + kEntity + "><dm:person id=\"p" + kId + "\"/><dm:device id=\"d" + kId +
              "\"><dm:deviceID>urn:x:1</dm:deviceID></dm:device></presence>");
  STRCMP_EQUAL("", tuple.c_str());
  stays("<presence " + kNs + kEntity + "/>");
}

TEST(Pidf, other_namespaces_and_prefixes_are_kept) {
  becomes("<p:presence xmlns:p=\"urn:ietf:params:xml:ns:pidf\"" + kDm + " xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\"" + kEntity +
              "><p:tuple\n xmlns:x=\"urn:x\" ><p:status/><x:y id=\"no\" a=\"1>2\"/></p:tuple ><dm:person ><r:activities><r:away/></r:activities>"
              "<dm:note>id=\"7\"</dm:note></dm:person></p:presence>",
          "<p:presence xmlns:p=\"urn:ietf:params:xml:ns:pidf\"" + kDm + " xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\"" + kEntity +
              "><p:tuple id=\"t" + kId + "\"\n xmlns:x=\"urn:x\" ><p:status/><x:y id=\"no\" a=\"1>2\"/></p:tuple ><dm:person id=\"p" + kId +
              "\" ><r:activities><r:away/></r:activities><dm:note>id=\"7\"</dm:note></dm:person></p:presence>");
}

TEST(Pidf, an_id_in_another_namespace_is_no_id) {
  CHECK(apply("<presence " + kNs + kEntity + " xmlns:x='urn:x'><tuple x:id='no'>" + kOpen + "</tuple></presence>").ok());
  STRCMP_EQUAL(("<presence " + kNs + kEntity + " xmlns:x='urn:x'><tuple id=\"t" + kId + "\" x:id='no'>" + kOpen + "</tuple></presence>").c_str(), out.c_str());
}

TEST(Pidf, elements_of_the_same_name_elsewhere_are_left_alone) {
  stays("<presence " + kNs + kEntity + " xmlns:x=\"urn:x\"><tuple id=\"a\">" + kOpen + "<x:tuple/><x:person/></tuple><x:tuple/><x:person/></presence>");
}

TEST(Pidf, tags_in_comments_and_sections_are_not_counted) {
  becomes("<!-- <a> --><?p <b> ?><presence " + kNs + kEntity + "><!-- <tuple> --><tuple><status/><note><![CDATA[<tuple>]]></note></tuple></presence>",
          "<!-- <a> --><?p <b> ?><presence " + kNs + kEntity + "><!-- <tuple> --><tuple id=\"t" + kId +
              "\"><status/><note><![CDATA[<tuple>]]></note></tuple></presence>");
}

TEST(Pidf, an_empty_id_or_entity_is_replaced_in_place) {
  becomes("<presence entity = '' " + kNs + "><tuple id=\"\">" + kOpen + "</tuple></presence>",
          "<presence entity = \"pres:alice@example.com\" " + kNs + "><tuple id=\"t" + kId + "\">" + kOpen + "</tuple></presence>");
}

TEST(Pidf, a_missing_entity_is_the_pres_uri_of_the_presentity) {
  const char* const cases[][2] = {{"sip:alice@example.com", "pres:alice@example.com"},
                                  {"SIPS:alice:pw@example.com:5061;transport=tcp?a=b", "pres:alice@example.com"},
                                  {"sip:a&amp@example.com:5060", "pres:a&amp;amp@example.com"},
                                  {"pres:alice@example.com", "pres:alice@example.com"},
                                  {"sip:a%3Bb;c?d@example.com;x=y", "pres:a%3Bb;c?d@example.com"},   // escapes stay as they are
                                  {"sip:#\xc3\xa4@example.com", "pres:%23%C3%A4@example.com"},        // and what needs one gets one
                                  {"tel:*21#", "tel:*21%23"},
                                  {"tel:+358-555", "tel:+358-555"},
                                  {"sip:example.com", "sip:example.com"}};
  for (auto& c : cases) {
    pres_uri = c[0];
    becomes("<presence " + kNs + "/>", "<presence entity=\"" + std::string(c[1]) + "\" " + kNs + "/>");
  }
  pres_uri = "sip:a@[2001:db8::1]:5060";
  CHECK(apply("<presence " + kNs + "/>").ok());
  STRCMP_EQUAL(("<presence entity=\"pres:a@[2001:db8::1]\" " + kNs + "/>").c_str(), out.c_str());
}

TEST(Pidf, a_byte_order_mark_is_no_obstacle) {
  CHECK(apply("\xef\xbb\xbf<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple></presence>").ok());
  STRCMP_EQUAL(("\xef\xbb\xbf<presence " + kNs + kEntity + "><tuple id=\"t" + kId + "\">" + kOpen + "</tuple></presence>").c_str(), out.c_str());
}

TEST(Pidf, another_root_element_is_refused) {
  refused("<presence/>", "the root element is \"presence\", not \"presence\" of namespace urn:ietf:params:xml:ns:pidf");
  refused("<list " + kNs + "/>", "the root element is \"list\", not \"presence\" of namespace urn:ietf:params:xml:ns:pidf");
  refused("<html><presence " + kNs + "/></html>", "the root element is \"html\", not \"presence\" of namespace urn:ietf:params:xml:ns:pidf");
}

TEST(Pidf, a_very_long_tuple_id_is_kept_in_the_document_only) {
  stays("<presence " + kNs + kEntity + "><tuple id=\"" + std::string(kMaxTupleId, 'a') + "\">" + kOpen + "</tuple></presence>");
  LONGS_EQUAL(kMaxTupleId, tuple.size());
  stays("<presence " + kNs + kEntity + "><tuple id=\"" + std::string(kMaxTupleId + 1, 'a') + "\">" + kOpen + "</tuple></presence>");
  LONGS_EQUAL(0, tuple.size());
}

TEST(Pidf, more_than_64_elements_without_id_are_refused) {
  auto doc = [](int n) {
    std::string d = "<presence " + kNs + kEntity + ">";
    for (int i = 0; i < n; i++) d += "<tuple><status/></tuple>";
    return d + "</presence>";
  };
  CHECK(apply(doc(64)).ok());
  valid(out);
  refused(doc(65), "more than 64 elements without an id");
}

// Each of 20,000 ids that would be made here is there already: found in one pass (it took seconds).
TEST(Pidf, ids_that_are_taken_cost_no_look_through_the_document_each) {
  std::string doc = "<presence " + kNs + kEntity + "><tuple>" + kOpen + "</tuple><note xml:lang=\"t" + kId + "\">";
  for (int n = 1; n <= 20000; n++) doc += "<a b=\"t" + kId + "." + std::to_string(n) + "\"/>";
  auto r = apply(doc + "</note></presence>");
  CHECK_TEXT(r.ok(), r.ok() ? "" : r.error().message.c_str());
  CHECK(out.find("<tuple id=\"t" + kId + ".20001\">") != std::string::npos);
}
