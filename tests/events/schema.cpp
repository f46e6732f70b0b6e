#include "tests/events/schema.h"

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <unistd.h>

#include <cstdio>

namespace {

const char* const kFolder = "../shared/xsd/";

void collect(void* out, xmlErrorPtr e) {
  if (e->level >= XML_ERR_ERROR) static_cast<std::string*>(out)->append(e->message);
}

}  // namespace

bool schemas_present() {
  static const bool present = [] {
    bool found = access((std::string(kFolder) + "pidf.xsd").c_str(), R_OK) == 0;
    if (!found) printf("skipped: validity of documents (no %s)\n", kFolder);
    return found;
  }();
  return present;
}

static xmlSchemaPtr load(std::string& errors) {
  std::string wrapper = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">";
  const char* const imports[][2] = {{"pidf", "pidf"}, {"pidf:data-model", "data-model"}, {"pidf:rpid", "rpid"},
                                    {"dialog-info", "dialog-info"}, {"reginfo", "reginfo"}, {"watcherinfo", "watcherinfo"}};
  for (auto& i : imports) {
    wrapper += std::string("<xs:import namespace=\"urn:ietf:params:xml:ns:") + i[0] + "\" schemaLocation=\"" + kFolder + i[1] + ".xsd\"/>";
  }
  wrapper += "</xs:schema>";
  xmlSchemaParserCtxtPtr parser = xmlSchemaNewMemParserCtxt(wrapper.data(), static_cast<int>(wrapper.size()));
  xmlSchemaSetParserStructuredErrors(parser, collect, &errors);
  xmlSchemaPtr schema = xmlSchemaParse(parser);
  xmlSchemaFreeParserCtxt(parser);
  return schema;
}

std::string schema_error(const std::string& document) {
  static std::string schema_errors;
  static const xmlSchemaPtr schema = load(schema_errors);  // read once, kept until the process ends
  if (!schema) return "the schemas cannot be read: " + schema_errors;
  std::string errors;
  xmlDocPtr doc = xmlReadMemory(document.data(), static_cast<int>(document.size()), nullptr, nullptr, XML_PARSE_NONET | XML_PARSE_NOERROR);
  if (!doc) return "not well-formed";
  xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
  xmlSchemaSetValidStructuredErrors(valid, collect, &errors);
  if (xmlSchemaValidateDoc(valid, doc) != 0 && errors.empty()) errors = "not valid";
  xmlSchemaFreeValidCtxt(valid);
  xmlFreeDoc(doc);
  return errors;
}
