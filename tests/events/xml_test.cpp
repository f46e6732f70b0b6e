// The XML reader against hostile and broken documents: each is refused with its reason, at once, and the next one is read;
// with the quick reader in front, and by libxml2 alone.
#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "events/xml_reader.h"
#include "events/xml_scan.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

struct Names : XmlVisitor {
  std::string seen;
  void element(const XmlElement& e) override {
    seen += std::to_string(e.index) + ":" + std::to_string(e.depth) + ":" + std::string(e.name);
    if (!e.ns.empty()) seen += "{" + std::string(e.ns) + "}";
    if (std::string_view v; e.attribute("a", v)) seen += "=" + std::string(v);
    seen += " ";
  }
};

// Text and ends, for a visitor that wants them.
struct Texts : XmlVisitor {
  bool wanted = true;
  std::string seen;
  void element(const XmlElement& e) override { seen += "<" + std::to_string(e.depth); }
  void end(uint32_t depth) override { seen += ">" + std::to_string(depth); }
  void text(std::string_view piece, uint32_t depth) override { seen += "[" + std::to_string(depth) + std::string(piece) + "]"; }
  bool wants_text() const override { return wanted; }
};

std::string repeat(const std::string& s, size_t n) {
  std::string out;
  out.reserve(s.size() * n);
  while (n-- > 0) out += s;
  return out;
}

}  // namespace

TEST_GROUP(XmlReader) {
  XmlReader reader;

  void refused(const std::string& doc, const std::string& message, Errc code = Errc::bad_body) {
    for (auto way : {&XmlReader::read, &XmlReader::parse}) {
      Names v;
      auto r = (reader.*way)(doc, v);
      CHECK_TEXT(!r.ok(), doc.substr(0, 100).c_str());
      STRCMP_EQUAL(message.c_str(), r.error().message.c_str());
      CHECK(r.code() == code);
      v.seen.clear();
      CHECK((reader.*way)("<ok/>", v).ok());  // the reader is as good as new
      STRCMP_EQUAL("0:1:ok ", v.seen.c_str());
    }
  }
  void reads(const std::string& doc, const std::string& seen) {
    for (auto way : {&XmlReader::read, &XmlReader::parse}) {
      Names v;
      auto r = (reader.*way)(doc, v);
      if (!r) FAIL(r.error().message.c_str());
      STRCMP_EQUAL(seen.c_str(), v.seen.c_str());
    }
  }
};

TEST(XmlReader, elements_come_in_order_with_depth_namespace_and_attributes) {
  reads("<?xml version=\"1.0\"?><r xmlns=\"u\"><b a='1 &lt;&#x32;'/><p:c xmlns:p=\"v\" p:a=\"no\"><d a=\"\"/></p:c></r>",
        "0:1:r{u} 1:2:b{u}=1 <2 2:2:c{v} 3:3:d{u}= ");
  reads(" \n<r/>\n ", "0:1:r ");
}

TEST(XmlReader, references_in_attributes_are_resolved_once) {
  reads("<r a='&amp;&#38;&#x26;&lt;&gt;&quot;&apos;&amp;amp;&amp;#38;'/>", "0:1:r=&&&<>\"'&amp;&#38; ");
}

TEST(XmlReader, text_comes_with_the_depth_it_is_at) {
  Texts v;
  CHECK(reader.read("<r>\n<a>1&lt;&#50;</a><!-- no --><b/> <![CDATA[<x>]]></r>\n", v).ok());
  STRCMP_EQUAL("<1[1\n]<2[21][2<][22]>2<2>2[1 ][1<x>]>1", v.seen.c_str());
}

TEST(XmlReader, text_is_not_shown_to_those_who_do_not_want_it) {
  Texts with, without;
  without.wanted = false;
  CHECK(reader.parse("<r>a</r>", with).ok());
  CHECK(reader.parse("<r>a<![CDATA[b]]></r>", without).ok());
  STRCMP_EQUAL("<1>1", without.seen.c_str());
  CHECK(reader.parse("<r>a</r>", with).ok());
  STRCMP_EQUAL("<1[1a]>1<1[1a]>1", with.seen.c_str());
}

TEST(XmlReader, what_is_not_xml_is_refused) {
  refused("", "the document is empty");
  refused("   ", "not an XML document: it does not begin with '<'");
  refused("hello", "not an XML document: it does not begin with '<'");
  refused("{\"a\": 1}", "not an XML document: it does not begin with '<'");
  refused("<a><b></a></b>", "not well-formed XML, line 1: Opening and ending tag mismatch: b line 1 and a");
  refused("<a>\n", "not well-formed XML, line 2: Premature end of data in tag a line 1");
  refused("<a/><b/>", "not well-formed XML, line 1: Extra content at the end of the document");
  refused("<a b=1/>", "not well-formed XML, line 1: AttValue: \" or ' expected");
  refused("<a b='1' b='2'/>", "not well-formed XML, line 1: Attribute b redefined");
  refused("<a", "not well-formed XML, line 1: Couldn't find end of Start Tag a line 1");
  refused("<a><!-- ", "not well-formed XML, line 1: Comment not terminated");
  refused("<p:a/>", "not well-formed XML, line 1: Namespace prefix p on a is not defined");
  refused("<a p:b=''/>", "not well-formed XML, line 1: Namespace prefix p for b on a is not defined");
  refused("<a b='&nbsp;'/>", "not well-formed XML, line 1: Entity 'nbsp' not defined");
  refused("<a>&nbsp;</a>", "not well-formed XML, line 1: Entity 'nbsp' not defined");
  refused("<a>&#0;</a>", "not well-formed XML, line 1: xmlParseCharRef: invalid xmlChar value 0");
}

TEST(XmlReader, octets_that_are_not_utf8_are_refused) {
  auto starts = [&](const std::string& doc) {
    Names v;
    auto r = reader.read(doc, v);
    CHECK_FALSE(r.ok());
    STRCMP_CONTAINS("not well-formed XML, line 1: Input is not proper UTF-8", r.error().message.c_str());
    for (char c : r.error().message) CHECK(c >= 0x20 && c < 0x7f);
  };
  starts("<a>\xff</a>");
  starts("<a>\xc3(</a>");
  refused("<a b='\xed\xa0\x80'/>", "not well-formed XML, line 1: Char 0xD800 out of allowed range");
  refused(std::string("<a>\0</a>", 8), "the document holds a NUL octet");
  refused(std::string("\xff\xfe<\0a\0/\0>\0", 10), "the document holds a NUL octet");
  refused("\xff\xfe\x41\x42", "not an XML document: it does not begin with '<'");
  refused("\x4c\x6f\xa7\x94", "not an XML document: it does not begin with '<'");  // <?xml in EBCDIC
}

TEST(XmlReader, other_encodings_are_refused) {
  for (const char* e : {"UTF-7", "UTF-16", "ISO-8859-1", "shift_jis", "x"}) {
    refused("<?xml version='1.0' encoding = '" + std::string(e) + "'?><a/>", "the document declares an encoding other than UTF-8");
  }
  reads("<?xml version='1.0' encoding='Utf-8'?><a/>", "0:1:a ");
  reads("<?xml version='1.0' encoding='US-ASCII'?><a/>", "0:1:a ");
}

TEST(XmlReader, entities_and_document_types_are_refused) {
  const char* const what = "document type declarations and entities are not accepted";
  std::string bomb = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY l0 \"lol\">";
  for (int i = 1; i < 10; i++) {
    std::string n = std::to_string(i), m = std::to_string(i - 1);
    bomb += "<!ENTITY l" + n + " \"" + repeat("&l" + m + ";", 10) + "\">";
  }
  refused(bomb + "]><l>&l9;</l>", what);
  refused("<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>", what);
  refused("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", what);
  refused("<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/\"> %p;]><a/>", what);
  refused("<!DOCTYPE a><a/>", what);
  refused("<!-- c --><?p?> <!DOCTYPE a [<!ATTLIST a b CDATA 'x'>]><a/>", what);
  refused("<a><!DOCTYPE b></a>", what);
  reads("<a><![CDATA[<!DOCTYPE b>]]><!-- <!DOCTYPE b> --></a>", "0:1:a ");
}

TEST(XmlReader, deep_nesting_is_refused) {
  Names v;
  CHECK(reader.parse(repeat("<a>", kMaxXmlDepth) + repeat("</a>", kMaxXmlDepth), v).ok());
  const char* const what = "elements are nested deeper than 64 levels";
  refused(repeat("<a>", kMaxXmlDepth + 1) + repeat("</a>", kMaxXmlDepth + 1), what);
  refused(repeat("<a>", 10000) + repeat("</a>", 10000), what);
  refused(repeat("<a>", 10000), what);
}

TEST(XmlReader, the_depth_is_bounded_also_with_empty_elements_and_stray_ends) {
  const char* const what = "elements are nested deeper than 64 levels";
  refused(repeat("<a>", kMaxXmlDepth) + "<b/>" + repeat("</a>", kMaxXmlDepth), what);
  Names v;
  CHECK_FALSE(reader.parse(repeat("</a>", 100) + repeat("<a>", 100), v).ok());
}

TEST(XmlReader, too_many_attributes_and_namespaces_are_refused) {
  auto attributes = [](size_t n) {
    std::string s = "<a";
    for (size_t i = 0; i < n; i++) s += " a" + std::to_string(i) + "='='";
    return s;
  };
  Names v;
  CHECK(reader.parse(attributes(kMaxXmlAttributes) + "/>", v).ok());
  refused(attributes(kMaxXmlAttributes + 1) + "/>", "an element has more than 64 attributes");
  refused(attributes(90000), "an element has more than 64 attributes");
  auto namespaces = [](size_t levels, size_t each, const std::string& inner) {
    std::string s;
    for (size_t i = 0; i < levels; i++) {
      s += "<a";
      for (size_t k = 0; k < each; k++) s += " xmlns:n" + std::to_string(i * each + k) + "='u'";
      s += ">";
    }
    return s + inner + repeat("</a>", levels);
  };
  CHECK(reader.parse(namespaces(16, 4, "<b/>"), v).ok());
  refused(namespaces(16, 4, "<b xmlns='u'/>"), "more than 64 namespaces are declared at a time");
  CHECK(reader.parse("<r>" + repeat("<b xmlns='u'/>", 1000) + "</r>", v).ok());  // one after the other
}

TEST(XmlReader, size_is_bounded) {
  std::string pad(kMaxXmlSize - 7, ' ');
  Names v;
  CHECK(reader.parse("<a>" + pad + "</a>", v).ok());
  refused("<a>" + pad + " </a>", "the document is longer than 1048576 octets", Errc::too_large);
}

// Bounded by CPU time, generously: each of these would take seconds if one of the bounds did not hold.
TEST(XmlReader, a_megabyte_of_anything_is_dealt_with_quickly) {
  const size_t n = kMaxXmlSize - 100;
  std::vector<std::string> docs = {
      "<a>" + repeat("<b/>", n / 4) + "</a>",
      "<a>" + repeat("<b>", n / 3),
      "<a>" + repeat("&lt;", n / 4) + "</a>",
      "<a>" + repeat("<!---->", n / 7) + "</a>",
      "<a>" + repeat("<?p?>", n / 5) + "</a>",
      "<a " + repeat("b ", n / 2) + "/>",
      "<a b='" + repeat("x", n) + "'/>",
      "<a>" + repeat("]]", n / 2) + "</a>",
      repeat("<", n),
      "<" + repeat("a", n) + "/>",
      "<a>" + repeat("<b c='1' d='2' e='3' f='4'/>", n / 28) + "</a>",
      "<a " + repeat("='' ", n / 4) + "/>",
      "<a xmlns:z='u'>" + repeat("<z:b z:c=''/>", n / 13) + "</a>",
      "<!" + repeat("<!", n / 2),
  };
  for (const std::string& d : docs) {
    Names v;
    clock_t start = clock();
    (void)reader.parse(d, v);
    double took = static_cast<double>(clock() - start) / CLOCKS_PER_SEC;
    CHECK_TEXT(took < 2.0, d.substr(0, 20).c_str());
  }
}

TEST(XmlReader, names_that_senders_invent_do_not_pile_up) {
  for (size_t length : {1, 400}) {  // many names, long names
    size_t most = 0;
    for (int i = 0; i < 300; i++) {
      std::string doc = "<r>";
      for (int k = 0; k < 100; k++) doc += "<n" + std::to_string(i * 100 + k) + std::string(length, 'x') + "/>";
      Names v;
      CHECK(reader.parse(doc + "</r>", v).ok());
      most = std::max(most, reader.names());
    }
    CHECK_TEXT(most < (length == 1 ? 2500u : 1000u), std::to_string(most).c_str());
  }
}

TEST(XmlReader, every_prefix_of_a_document_is_refused_without_harm) {
  const std::string doc = "<?xml version=\"1.0\"?><!-- c --><r xmlns:p='u'><b a='1'/><p:c><![CDATA[x]]>&amp;</p:c></r>";
  Names v;
  for (size_t n = 0; n < doc.size(); n++) CHECK_FALSE(reader.read(doc.substr(0, n), v).ok());
  CHECK(reader.read(doc, v).ok());
}

TEST_GROUP(XmlScan){};

TEST(XmlScan, attributes_are_replaced_or_added_at_the_named_elements) {
  std::vector<AttributeEdit> edits = {{0, "v", "1"}, {2, "id", "<&\">\n"}, {3, "id", "x"}};
  STRCMP_EQUAL("<a v = \"1\" w='v=2'><b/><c id=\"&lt;&amp;&quot;>&#10;\"><p:d id=\"x\" p:id='q'\n/></c></a>",
               set_attributes("<a v = '' w='v=2'><b/><c><p:d p:id='q'\n/></c></a>", edits).c_str());
}

TEST(XmlScan, without_edits_the_document_is_the_same) {
  STRCMP_EQUAL("<a>x</a>", set_attributes("<a>x</a>", {}).c_str());
}
