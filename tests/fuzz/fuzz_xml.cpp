// Fuzz: the quick reader of XML beside libxml2. Whatever the quick one takes, libxml2 takes too, and both show the same
// elements, attributes, namespaces, ends and text. First octet: how much of the document is asked for, and whether the
// octets behind it are the document itself, or each the number of a word of one: that way most tags are whole.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "events/quick_xml.h"
#include "events/xml_reader.h"
#include "tests/events/seen_xml.h"

using namespace pua;

static constexpr std::string_view kWords[] = {"<a",
                                              "<a>",
                                              "<b>",
                                              "<p:a",
                                              "<p:a>",
                                              "<q:b",
                                              "<b",
                                              "</a>",
                                              "</b>",
                                              "</p:a>",
                                              "</q:b>",
                                              "/>",
                                              ">",
                                              "<a/>",
                                              "<p:a/>",
                                              "<q:b />",
                                              " a='1'",
                                              " a=\"2\"",
                                              " b='&amp;'",
                                              " p:a='1'",
                                              " q:a='3'",
                                              " q:b='\"'",
                                              " xml:lang='en'",
                                              " xml:a=''",
                                              " xmlns='urn:x:1'",
                                              " xmlns='urn:x:2'",
                                              " xmlns=''",
                                              " xmlns:p='urn:x:1'",
                                              " xmlns:p='urn:x:2'",
                                              " xmlns:q='urn:x:1'",
                                              " xmlns:q='http://h/p'",
                                              " xmlns:p=''",
                                              " xmlns:q='http://h:1/'",
                                              " xmlns:p='urn:'",
                                              " xmlns:p='x'",
                                              " xmlns:q='urn://h:x/'",
                                              " xmlns:xml='urn:x:1'",
                                              " xmlns:q='http://www.w3.org/XML/1998/namespace'",
                                              " xmlns='http://www.w3.org/2000/xmlns/'",
                                              " xmlns:xmlns='urn:x:1'",
                                              "text",
                                              "\r\n",
                                              "\n",
                                              "\t",
                                              " ",
                                              "\r",
                                              "&lt;",
                                              "&gt;",
                                              "&quot;",
                                              "&apos;",
                                              "&#65;",
                                              "&#x4a;",
                                              "&#10;",
                                              "&#13;",
                                              "&#0;",
                                              "&#xd800;",
                                              "&x;",
                                              "&#6",
                                              "&",
                                              "]",
                                              "]]",
                                              "]]>",
                                              "\x7f",
                                              "\xc3\xa9",
                                              "<?xml version='1.0'?>",
                                              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
                                              "<?xml version='1.0' standalone='yes'?>",
                                              "<?p?>",
                                              "<!--c-->",
                                              "<![CDATA[c]]>",
                                              "=",
                                              "'",
                                              "\"",
                                              "<",
                                              "a",
                                              ":",
                                              "-",
                                              ".",
                                              "1",
                                              "_"};

static std::string of_words(std::string_view numbers) {
  std::string doc;
  for (char c : numbers) doc += kWords[static_cast<unsigned char>(c) % std::size(kWords)];
  return doc;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static XmlReader reader;  // kept: both are used again and again, as in a server
  static QuickXml quick;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string doc = data[0] & 0x80 ? of_words(rest) : std::string(rest);
  const bool text = data[0] & 1;
  const uint32_t depth = data[0] & 2 ? kMaxXmlDepth : 1 + (data[0] >> 2) % 4;
  SeenXml fast(text, depth), slow(text, depth);
  if (!quick.read(doc, fast)) {
    if (!fast.seen.empty()) abort();  // what is left to libxml2 has not been shown in part
    return 0;
  }
  Status s = reader.parse(doc, slow);
  if (!s || fast.seen != slow.seen) {
    fprintf(stderr, "document: %s\nquick:    %s\nlibxml2:  %s%s\n", doc.c_str(), fast.seen.c_str(), slow.seen.c_str(),
            s ? "" : s.error().message.c_str());
    abort();
  }
  return 0;
}
