// The quick reader of XML: what it takes it shows as libxml2 does, and each kind of document that is not plain is left alone.
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "events/quick_xml.h"
#include "events/xml_reader.h"
#include "tests/events/seen_xml.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

std::string repeat(const std::string& s, size_t n) {
  std::string out;
  while (n-- > 0) out += s;
  return out;
}

}  // namespace

TEST_GROUP(QuickXml) {
  QuickXml quick;
  XmlReader reader;  // libxml2

  // Taken, and shown like this; libxml2 agrees.
  void takes(const std::string& doc, const std::string& shown) {
    SeenXml fast, slow;
    CHECK_TEXT(quick.read(doc, fast), doc.substr(0, 200).c_str());
    STRCMP_EQUAL(shown.c_str(), fast.seen.c_str());
    auto s = reader.parse(doc, slow);
    if (!s) FAIL(s.error().message.c_str());
    STRCMP_EQUAL(fast.seen.c_str(), slow.seen.c_str());
  }
  // Left to libxml2, which takes it or does not.
  void leaves(const std::string& doc, bool well_formed) {
    SeenXml fast, slow;
    CHECK_FALSE_TEXT(quick.read(doc, fast), doc.substr(0, 200).c_str());
    STRCMP_EQUAL("", fast.seen.c_str());
    LONGS_EQUAL_TEXT(well_formed, reader.parse(doc, slow).ok(), doc.substr(0, 200).c_str());
  }
  void leaves_good(const std::string& doc) { leaves(doc, true); }
  void leaves_bad(const std::string& doc) { leaves(doc, false); }
};

TEST(QuickXml, a_presence_document_is_shown_whole) {
  takes(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
      "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity='pres:a@example.com'>\r\n"
      "<tuple id=\"t1\" ><status><basic>open</basic></status><note xml:lang='en'>in</note></tuple>\r\n</presence>\r\n",
      "<1:0:presence{urn:ietf:params:xml:ns:pidf} entity=pres:a@example.com>[1:\n]"
      "<2:1:tuple{urn:ietf:params:xml:ns:pidf} id=t1><3:2:status{urn:ietf:params:xml:ns:pidf}>"
      "<4:3:basic{urn:ietf:params:xml:ns:pidf}>[4:open]</4></3><3:4:note{urn:ietf:params:xml:ns:pidf} "
      "lang{http://www.w3.org/XML/1998/namespace}=en>[3:in]</3></2>[1:\n]</1>");
}

TEST(QuickXml, declarations_of_utf_8_are_taken) {
  for (const char* declaration :
       {"", " \r\n\t", "<?xml version='1.0'?>", "<?xml version=\"1.0\" ?>\n", "<?xml  version='1.0'\n encoding='utf-8'?>",
        "<?xml version='1.0' standalone='no'?>", "<?xml version='1.0' encoding=\"UTF-8\" standalone='yes' ?>"}) {
    takes(std::string(declaration) + "<r/>", "<1:0:r></1>");
  }
}

TEST(QuickXml, other_declarations_are_left_alone) {
  leaves_good("<?xml version='1.0' encoding='us-ascii'?><r/>");
  leaves_good("<?xml version = '1.0'?><r/>");
  leaves_good("<?xml version='1.1'?><r/>");
  leaves_good("<?xml\tversion='1.0'?><r/>");
  for (const char* declaration :
       {" <?xml version='1.0'?>", "<?xml ?>", "<?xml encoding='utf-8'?>", "<?xml version='1.0' version='1.0'?>",
        "<?xml version='1.0'encoding='utf-8'?>", "<?xml version='1.0' standalone='maybe'?>",
        "<?xml version='1.0' encoding='latin1'?>", "<?xml version='1.0' standalone='yes' encoding='utf-8'?>",
        "<?xml version='1.0' x='y'?>", "<?xml version='1.0'", "<?xml version='1.0'?><?xml version='1.0'?>",
        "<?xml x:version='1.0'?>", "<?xml version='1.0>"}) {
    leaves_bad(std::string(declaration) + "<r/>");
  }
}

TEST(QuickXml, what_is_not_plain_is_left_alone) {
  for (const char* doc :
       {"<!-- c --><r/>",       "<r><!-- c --></r>",   "<r/><!-- c -->",    "<?p?><r/>",    "<r><?p?></r>",     "<r/><?p?>",
        "<r><![CDATA[x]]></r>", "<r>\xc3\xa9</r>",     "<r a='\xc3\xa9'/>", "<r\xc3\xa9/>", "\xef\xbb\xbf<r/>", "<r>]]</r>",
        "<r>a\rb</r>",          "<r a='1\n2'/>",       "<r a='1\t2'/>",     "<r a = '1'/>", "<r>\x7f</r>",      "<r>&#x80;</r>",
        "<r>&#00000065;</r>",   "<r xmlns='urn:a#b'/>"}) {
    leaves_good(doc);
  }
}

TEST(QuickXml, what_is_not_well_formed_is_left_alone) {
  for (const char* doc : {"",
                          " ",
                          "r",
                          "<",
                          "<r",
                          "<r>",
                          "<r/",
                          "</r>",
                          "<r></s>",
                          "<r></r",
                          "<r></r x>",
                          "<rs></rt>",
                          "<rs></rst>",
                          "<rst></rs>",
                          "<p:r xmlns:p='urn:a:1'></r>",
                          "<r><a></r></a>",
                          "<r/><s/>",
                          "<r/>x",
                          "x<r/>",
                          "<r a/>",
                          "<r a=/>",
                          "<r a='/>",
                          "<r a=1/>",
                          "<r a='1'b='2'/>",
                          "<r a='<'/>",
                          "<r a='1' a='2'/>",
                          "<1/>",
                          "<-r/>",
                          "<r: />",
                          "<:r/>",
                          "<a:b:c/>",
                          "< r/>",
                          "<r / >",
                          "<r>]]></r>",
                          "<r>\x01</r>",
                          "<r a='\x01'/>",
                          "<r>&</r>",
                          "<r>&x;</r>",
                          "<r>&lt</r>",
                          "<r>&#;</r>",
                          "<r>&#x;</r>",
                          "<r>&#0;</r>",
                          "<r>&#1;</r>",
                          "<r>&#xG;</r>",
                          "<r>&#A;</r>",
                          "<r>&#xD800;</r>",
                          "<r>& lt;</r>",
                          "<r a='&x;'/>",
                          "<r a='&'/>",
                          "<r>&amp;",
                          "<!DOCTYPE r><r/>",
                          "<r><!DOCTYPE r></r>"}) {
    leaves_bad(doc);
  }
  leaves_bad(std::string("<r>\0</r>", 8));
  leaves_bad(std::string("<r a='\0'/>", 10));
}

TEST(QuickXml, references_are_resolved_once_in_values_and_text) {
  takes("<r a='&amp;lt;&#38;&#x26;&gt;&quot;&apos;&#9;&#10;&#13;' b='\"'>&amp;lt;&#60;&#x3E;'\"&#13;] ]></r>",
        "<1:0:r a=&lt;&&>\"'\t\n\r b=\">[1:&lt;<>'\"\r] ]>]</1>");
  takes("<r a='1' b='&lt;' c='2&lt;3' d=''/>", "<1:0:r a=1 b=< c=2<3 d=></1>");
}

TEST(QuickXml, a_document_full_of_references_is_shown_from_memory_that_does_not_move) {
  std::string doc = "<r>", shown = "<1:0:r>";
  for (int i = 1; i <= 100; i++) {
    doc += "<b a='" + repeat("&lt;", static_cast<size_t>(i % 31)) + std::to_string(i) + "'/>";
    shown += "<2:" + std::to_string(i) + ":b a=" + repeat("<", static_cast<size_t>(i % 31)) + std::to_string(i) + "></2>";
  }
  takes(doc + "</r>", shown + "</1>");
}

TEST(QuickXml, line_ends_of_text_become_line_feeds) {
  takes("<r>a\r\nb\n\r\n<b\r\n/>\r\n</r>\r\n", "<1:0:r>[1:a\nb\n\n]<2:1:b></2>[1:\n]</1>");
}

TEST(QuickXml, namespaces_have_scopes) {
  takes(
      "<p:r xmlns:p='urn:a:1' xmlns='urn:b:2'><c xmlns='' p:k='1' k='2'><d/></c><p:e xmlns:p='http://example.com/x.y/z' p:k='3'>"
      "<p:f/></p:e><p:g/><h/></p:r>",
      "<1:0:r{urn:a:1}><2:1:c k{urn:a:1}=1 k=2><3:2:d></3></2><2:3:e{http://example.com/x.y/z} k{http://example.com/x.y/z}=3>"
      "<3:4:f{http://example.com/x.y/z}></3></2><2:5:g{urn:a:1}></2><2:6:h{urn:b:2}></2></1>");
  takes("<r a:k='1' xmlns:a='urn:a:1'/>", "<1:0:r k{urn:a:1}=1></1>");  // declared behind its use
}

TEST(QuickXml, namespaces_that_are_wrong_or_odd_are_left_alone) {
  leaves_bad("<p:r/>");
  leaves_bad("<r p:k='1'/>");
  leaves_bad("<r><a xmlns:p='urn:a:1'/><p:b/></r>");
  leaves_bad("<r xmlns:p=''/>");
  leaves_bad("<r xmlns='urn:a:1' xmlns='urn:a:1'/>");
  leaves_bad("<r xmlns:p='urn:a:1' xmlns:p='urn:a:2'/>");
  leaves_bad("<r xmlns:p='urn:a:1' p:k='1' p:k='2'/>");
  leaves_bad("<r xmlns:p='urn:a:1' xmlns:q='urn:a:1'><b p:k='1' q:k='2'/></r>");
  leaves_bad("<r xml:lang='en' xml:lang='en'/>");
  leaves_bad("<r xmlns:xmlns='urn:a:1'/>");
  leaves_bad("<r xmlns:xml='urn:a:1'/>");
  leaves_bad("<r xmlns='http://www.w3.org/XML/1998/namespace'/>");
  leaves_bad("<r xmlns:p='http://www.w3.org/2000/xmlns/'/>");
  leaves_bad("<r xmlns='a b'/>");
  leaves_bad("<r xmlns='http://[/'/>");
  leaves_bad("<xmlns:r/>");
  leaves_good("<r xmlns:xml='http://www.w3.org/XML/1998/namespace'/>");
  leaves_good("<xml:r/>");
  leaves_good("<r xmlns='relative'/>");
  leaves_good("<r xmlns='http://h:80/'/>");
  leaves_good("<r xmlns='urn:a&amp;b'/>");
  leaves_good("<r xmlns:xmla='urn:a:1'/>");
}

TEST(QuickXml, a_visitor_is_shown_as_much_as_it_wants) {
  const std::string doc = "<r a='1'>x<b c='2'>y<d e='3'/></b><b/></r>";
  struct {
    bool text;
    uint32_t depth;
    const char* shown;
  } wants[] = {{false, 1, "<1:0:r a=1></1>"},
               {true, 1, "<1:0:r a=1>[1:x]</1>"},
               {false, 2, "<1:0:r a=1><2:1:b c=2></2><2:3:b></2></1>"},
               {true, 3, "<1:0:r a=1>[1:x]<2:1:b c=2>[2:y]<3:2:d e=3></3></2><2:3:b></2></1>"}};
  for (const auto& w : wants) {
    SeenXml fast(w.text, w.depth), slow(w.text, w.depth);
    CHECK(quick.read(doc, fast));
    CHECK(reader.parse(doc, slow).ok());
    STRCMP_EQUAL(w.shown, fast.seen.c_str());
    STRCMP_EQUAL(w.shown, slow.seen.c_str());
  }
}

TEST(QuickXml, bounds_are_kept_to_the_last_one) {
  auto attributes = [](size_t n) {
    std::string s = "<r";
    for (size_t i = 0; i < n; i++) s += " a" + std::to_string(i) + "='='";
    return s + "/>";
  };
  auto namespaces = [](size_t n) {
    std::string s, ends;
    for (size_t i = 0; i < n; i++) s += "<r xmlns:p" + std::to_string(i) + "='urn:a:1'>", ends += "</r>";
    return s + ends;
  };
  auto kept = [](size_t n) {  // attributes in the whole document
    std::string s = "<r>" + repeat("<b a='' b='' c='' d='' e='' f='' g='' h=''/>", n / 8) + "<c";
    for (size_t i = 0; i < n % 8; i++) s += " a" + std::to_string(i) + "=''";
    return s + "/></r>";
  };
  struct {
    std::string within, over;
  } bounds[] = {
      {repeat("<a>", kMaxXmlDepth) + repeat("</a>", kMaxXmlDepth), ""},
      {attributes(kMaxQuickAttributes), attributes(kMaxQuickAttributes + 1)},
      {namespaces(kMaxQuickNamespaces), namespaces(kMaxQuickNamespaces + 1)},
      {"<r " + std::string(kMaxQuickName, 'a') + "=''/>", "<r " + std::string(kMaxQuickName + 1, 'a') + "=''/>"},
      {"<r>" + std::string(kMaxQuickXml - 7, ' ') + "</r>", "<r>" + std::string(kMaxQuickXml - 6, ' ') + "</r>"},
      {"<r>" + repeat("<b/>", kMaxQuickShown / 2 - 1) + "</r>", "<r>" + repeat("<b/>", kMaxQuickShown / 2) + "</r>"},
      {kept(kMaxQuickKept), kept(kMaxQuickKept + 1)},
  };
  for (const auto& b : bounds) {
    SeenXml fast(false), slow(false);
    CHECK_TEXT(quick.read(b.within, fast), b.within.substr(0, 60).c_str());
    CHECK(reader.parse(b.within, slow).ok());
    CHECK(fast.seen == slow.seen);
    if (!b.over.empty()) leaves_good(b.over);
  }
  leaves_bad(repeat("<a>", kMaxXmlDepth + 1) + repeat("</a>", kMaxXmlDepth + 1));
}

TEST(QuickXml, what_is_not_shown_does_not_count_against_the_bounds_of_memory) {
  const std::string doc = "<r>" + repeat("<b a=''>x</b>", 3000) + "</r>";
  SeenXml root(true, 1), all;
  CHECK(quick.read(doc, root));
  STRCMP_EQUAL("<1:0:r></1>", root.seen.c_str());
  CHECK_FALSE(quick.read(doc, all));
}

TEST(QuickXml, nothing_of_a_document_is_left_for_the_next_one) {
  SeenXml first, second;
  CHECK_FALSE(quick.read("<r xmlns:p='urn:a:1' a='&lt;'><b><c>", first));
  CHECK_FALSE(quick.read("<p:r/>", second));
  takes("<r b='&gt;'/>", "<1:0:r b=>></1>");
}

// Words of documents in any order: thousands that nearly are documents, and some that are.
TEST(QuickXml, whatever_it_takes_libxml2_takes_and_shows_alike) {
  const std::vector<std::string> inside = {"<a>",
                                           "</a>",
                                           "<a/>",
                                           "<p:a>",
                                           "</p:a>",
                                           "<p:a a='1'/>",
                                           "<b xmlns='urn:x:1'>",
                                           "</b>",
                                           "<b xmlns:p='urn:x:2' p:a='&lt;'/>",
                                           "<a p:a='1' q:a='2'/>",
                                           "<a xml:lang='x'/>",
                                           "x",
                                           "&#65;",
                                           "&amp;",
                                           "]",
                                           "]]>",
                                           "\r\n",
                                           "\r",
                                           "<!-- -->",
                                           "\xc3\xa9",
                                           "<a a='1' a='2'/>",
                                           "<b xmlns=''/>",
                                           "<a a=\"'\"/>",
                                           "<a q:b='' xmlns:q='urn:x:3'/>",
                                           "&x;",
                                           "<q:a></q:a>",
                                           "<a",
                                           ">",
                                           " a='1'"};
  const std::vector<std::string> before = {"",         "\n",  "<?xml version='1.0'?>", "<?xml version='1.0' encoding='UTF-8'?>\r\n",
                                           "<!-- -->", "<a/>"};
  const std::vector<std::string> roots = {"<a>", "<p:a xmlns:p='urn:x:1'>",
                                          "<a xmlns='urn:x:2' xmlns:p='urn:x:1' xmlns:q='urn:x:1'>"};
  std::mt19937 random(20240607);
  auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
  size_t taken = 0;
  for (int i = 0; i < 20000; i++) {
    std::string root = pick(roots), doc = pick(before) + root;
    for (size_t n = random() % 8; n > 0; n--) doc += pick(inside);
    doc += root.starts_with("<p") ? "</p:a>" : "</a>";
    doc += i % 16 ? "" : pick(inside);
    SeenXml fast, slow;
    if (!quick.read(doc, fast)) continue;
    taken++;
    auto s = reader.parse(doc, slow);
    CHECK_TEXT(s.ok(), doc.c_str());
    CHECK_TEXT(fast.seen == slow.seen, doc.c_str());
  }
  CHECK_TEXT(taken > 2000, std::to_string(taken).c_str());
}
