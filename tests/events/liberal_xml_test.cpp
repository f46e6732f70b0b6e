// Documents as notifiers write them: encodings, and what stands around them.
#include "events/liberal_xml.h"

#include <string>

#include "events/inspect.h"
#include "events/xml_reader.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

const std::string kRoot = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:a@h\"/>";
constexpr const char* kType = "application/pidf+xml";

std::string in_utf16(const std::string& ascii, bool little, bool mark) {
  std::string out = !mark ? "" : little ? "\xff\xfe" : "\xfe\xff";
  for (char c : ascii) little ? (out += c, out += '\0') : (out += '\0', out += c);
  return out;
}

}  // namespace

TEST_GROUP(LiberalXml) {
  XmlReader reader;
  std::string storage;

  void plain(const std::string& doc, const std::string& wanted) {
    auto r = plain_xml(doc, storage);
    CHECK_TEXT(r.ok(), r ? "" : r.error().message.c_str());
    STRCMP_EQUAL(wanted.c_str(), std::string(*r).c_str());
    taken(doc);
  }
  void taken(const std::string& doc) {
    auto r = inspect_document(reader, kType, doc);
    CHECK_TEXT(r.ok(), r ? "" : r.error().message.c_str());
  }
  void refused(const std::string& doc, const char* why) {
    auto r = inspect_document(reader, kType, doc);
    CHECK_FALSE(r.ok());
    STRCMP_CONTAINS(why, r.error().message.c_str());
  }
  std::string declared(const std::string& encoding, const std::string& text = "") {
    return "<?xml version=\"1.0\" encoding=\"" + encoding + "\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"><note>" + text + "</note></presence>";
  }
  std::string text_of(const std::string& doc) {
    auto r = plain_xml(doc, storage);
    CHECK_TEXT(r.ok(), r ? "" : r.error().message.c_str());
    size_t from = r->find("<note>") + 6;
    return std::string(r->substr(from, r->find("</note>") - from));
  }
};

TEST(LiberalXml, a_plain_document_is_the_same_octets) {
  auto r = plain_xml(kRoot, storage);
  CHECK(r.ok());
  POINTERS_EQUAL(kRoot.data(), r->data());
  LONGS_EQUAL(kRoot.size(), r->size());
}

TEST(LiberalXml, what_may_not_stand_around_a_document_is_taken_away) {
  plain("\r\n \n<?xml version=\"1.0\"?>" + kRoot, "<?xml version=\"1.0\"?>" + kRoot);
  plain(kRoot + std::string(1, '\0'), kRoot);
  plain(kRoot + std::string(5, '\0'), kRoot);
  plain("\xef\xbb\xbf" + kRoot, kRoot);
  plain("\xef\xbb\xbf\n" + kRoot, kRoot);
}

TEST(LiberalXml, a_document_type_is_taken_away_with_what_stands_before_it) {
  plain("<!DOCTYPE presence>" + kRoot, kRoot);
  plain("<!DOCTYPE presence PUBLIC \"-//IETF//DTD RFCxxxx XPIDF 1.0//EN\" \"xpidf.dtd\">\n" + kRoot, "\n" + kRoot);
  plain("<!DOCTYPE presence SYSTEM 'a>[b'>" + kRoot, kRoot);
  plain("<!DOCTYPE presence []>" + kRoot, kRoot);
  plain("<!DOCTYPE presence SYSTEM \"x\" [ \n ] >" + kRoot, kRoot);
  plain("<!-- of ours -->\n<?xml-stylesheet href='x'?> <!DOCTYPE presence>" + kRoot, kRoot);
  plain("<?xml version=\"1.0\"?>\n<!-- <!DOCTYPE a> --><!DOCTYPE presence []>" + kRoot, kRoot);
  plain("<!DOCTYPE presence [<!ELEMENT presence ANY><!ATTLIST presence a CDATA ']>' b CDATA \"<\"><!-- ]> '\" --><?x ]> '?>%other;\n<!NOTATION n SYSTEM 'x'>]>" +
            kRoot, kRoot);
  std::string comment = "<!-- no document type --><?x y?>" + kRoot;
  plain(comment, comment);
  taken(in_utf16("<!-- x --><!DOCTYPE presence []>" + kRoot, true, true));
  taken("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><!-- \xe9 --><!DOCTYPE presence []>" + kRoot);
}

// What is declared is neither read nor expanded: only what every document has, characters by number and five names, can be used.
TEST(LiberalXml, entities_are_not_expanded) {
  std::string laughs = "<!DOCTYPE presence [<!ENTITY a \"bbbbbbbbbb\"><!ENTITY c '&a;&a;&a;&a;'><!ENTITY f SYSTEM \"file:///etc/passwd\">"
                       "<!ENTITY % p SYSTEM \"http://192.0.2.1/\">%p;]>";
  auto with = [](const std::string& text, const std::string& value = "") {
    return "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"" + value + "\"><note>" + text + "</note></presence>";
  };
  plain(laughs + kRoot, kRoot);
  taken(laughs + with("&lt;&amp;&gt;&quot;&apos;&#233;&#xe9;", "&lt;&#233;"));
  for (const char* name : {"&a;", "&c;", "&f;", "&nbsp;"}) {
    refused(laughs + with(name), "not well-formed XML");
    refused(laughs + with("", name), "not well-formed XML");
  }
}

TEST(LiberalXml, a_document_type_that_does_not_end_or_comes_again_is_refused) {
  const char* why = "document type declarations and entities are not accepted";
  refused("<!DOCTYPE presence", why);
  refused("<!DOCTYPE presence" + kRoot, "the document is empty");   // the root is taken for its end
  for (const char* begin : {"<!DOCTYPE presence [", "<!DOCTYPE presence [<!ENTITY a 'b>]>", "<!DOCTYPE presence [x]>", "<!DOCTYPE presence []",
                            "<!DOCTYPE presence [%x]>", "<!DOCTYPE presence [<!-- ]>", "<!DOCTYPE presence [<? ]>", "<!DOCTYPE presence [] x>", "<!DOCTYPE a><!DOCTYPE b>"})
    refused(begin + kRoot, why);
  refused("<!-- <!DOCTYPE presence []>" + kRoot, "");
}

// 1 MB of each, once round: a reader that looks again at what it has seen would take minutes.
TEST(LiberalXml, a_long_prolog_is_read_once) {
  int taken = 0;
  for (const char* piece : {"<!---->", "<?a?>", "<!--", "<!DOCTYPE a [", "<!DOCTYPE a []>", "<!ENTITY a 'b'>", "%a;", "<", "\"", "\n"})
    for (const char* begin : {"", "<!DOCTYPE a ["}) {
      std::string doc = begin;
      while (doc.size() < 1000000) doc += piece;
      CHECK_FALSE(inspect_document(reader, kType, doc).ok());
      taken += inspect_document(reader, kType, doc + "]>" + kRoot).ok();
    }
  LONGS_EQUAL(6, taken);
}

TEST(LiberalXml, an_encoding_that_says_what_is_so_costs_nothing) {
  for (const char* name : {"UTF-8", "utf-8"}) STRCMP_EQUAL("\xc3\xa9", text_of(declared(name, "\xc3\xa9")).c_str());
  for (const char* name : {"utf8", "UTF8", "us-ascii", "ASCII", "ISO-8859-1", "windows-1252"}) {
    STRCMP_EQUAL("Busy", text_of(declared(name, "Busy")).c_str());
    taken(declared(name, "Busy"));
  }
}

TEST(LiberalXml, latin_1_and_its_like_become_utf_8) {
  STRCMP_EQUAL("\xc3\xa9", text_of(declared("ISO-8859-1", "\xe9")).c_str());
  STRCMP_EQUAL("\xc3\xa9", text_of(declared("iso_8859-1", "\xe9")).c_str());
  STRCMP_EQUAL("\xc3\xa9", text_of(declared("latin1", "\xe9")).c_str());
  STRCMP_EQUAL("\xe2\x82\xac", text_of(declared("ISO-8859-15", "\xa4")).c_str());
  STRCMP_EQUAL("\xe2\x82\xac", text_of(declared("windows-1252", "\x80")).c_str());
  STRCMP_EQUAL("\xd0\xb0", text_of(declared("KOI8-R", "\xc1")).c_str());
  taken(declared("ISO-8859-1", "\xe9\xff"));
}

TEST(LiberalXml, utf_16_is_known_by_its_mark_or_its_first_character) {
  for (bool little : {true, false})
    for (bool mark : {true, false}) plain(in_utf16(kRoot, little, mark), kRoot);
  std::string decl = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>";
  plain(in_utf16(decl + kRoot, true, true), kRoot);
  STRCMP_EQUAL("x", text_of(in_utf16(declared("utf-16", "x"), false, true)).c_str());
}

TEST(LiberalXml, other_encodings_and_octets_that_are_none_of_theirs_are_refused) {
  refused(declared("EBCDIC-CP-US", "\xe9"), "the document declares the encoding \"EBCDIC-CP-US\", which is not taken");
  refused(declared("UTF-7", "+AOk-"), "which is not taken");
  refused(declared("../../x", "\xe9"), "which is not taken");
  refused(declared("ISO-8859-12", "\xe9"), "which is not taken");
  refused(declared("UTF-16", "x"), "which is not taken");   // it is not
  refused(declared("windows-1252", "\x81"), "does not belong to the encoding CP1252");
  refused(declared("UTF-8", "\xe9"), "not well-formed XML");
}

TEST(LiberalXml, a_prefix_that_is_not_declared_is_part_of_the_name) {
  taken("<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"><rpid:activities/></presence>");
  taken("<p:presence/>");
  refused("<p:other/>", "the root element is");
}
