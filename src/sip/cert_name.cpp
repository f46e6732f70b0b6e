#include "sip/cert_name.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace pua {
namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

// Empty where it cannot be a name. A NUL inside a name has been used to pass a certificate off as that of another host.
std::string text_of(const ASN1_STRING* s) {
  std::string out;
  if (s) out.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)), static_cast<size_t>(ASN1_STRING_length(s)));
  bool odd = std::any_of(out.begin(), out.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7f; });
  return odd ? std::string() : lower(out);
}

// "sip:example.com" and no more than that, but for port and parameters (section 7.1).
std::string sip_host(const std::string& uri) {
  if (uri.compare(0, 4, "sip:") != 0 || uri.find('@') != std::string::npos) return {};
  return uri.substr(4, uri.find_first_of(":;?", 4) - 4);
}

std::string address_of(const ASN1_OCTET_STRING* ip) {
  char text[INET6_ADDRSTRLEN] = "";
  int len = ip ? ASN1_STRING_length(ip) : 0;
  if (len == 4) inet_ntop(AF_INET, ASN1_STRING_get0_data(ip), text, sizeof text);
  if (len == 16) inet_ntop(AF_INET6, ASN1_STRING_get0_data(ip), text, sizeof text);
  return text;
}

// An address in the form in which inet_ntop() writes it; empty: it is no address.
std::string canonical_address(const std::string& s) {
  unsigned char raw[16];
  char text[INET6_ADDRSTRLEN] = "";
  if (inet_pton(AF_INET, s.c_str(), raw) == 1) return inet_ntop(AF_INET, raw, text, sizeof text);
  if (inet_pton(AF_INET6, s.c_str(), raw) == 1) return inet_ntop(AF_INET6, raw, text, sizeof text);
  return {};
}

void read_alternatives(const GENERAL_NAMES* names, CertNames& out) {
  std::vector<std::string> sip, dns;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME* n = sk_GENERAL_NAME_value(names, i);
    std::string host;
    if (n->type == GEN_URI && !(host = sip_host(text_of(n->d.uniformResourceIdentifier))).empty()) sip.push_back(host);
    if (n->type == GEN_DNS && !(host = text_of(n->d.dNSName)).empty()) dns.push_back(host);
    if (n->type == GEN_IPADD && !(host = address_of(n->d.iPAddress)).empty()) out.addresses.push_back(host);
  }
  out.hosts = sip.empty() ? dns : sip;
}

}  // namespace

CertNames cert_names(const x509_st* cert) {
  CertNames out;
  int found = 0;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, &found, nullptr));
  if (names) {
    read_alternatives(names, out);
    GENERAL_NAMES_free(names);
  }
  if (found != -1) return out;  // there is a subjectAltName, readable or not: the common name does not count then
  const X509_NAME* subject = X509_get_subject_name(cert);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return out;
  std::string name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  std::string address = canonical_address(name);
  if (!address.empty()) out.addresses.push_back(address);
  else if (!name.empty()) out.hosts.push_back(name);
  return out;
}

bool cert_is_for(const CertNames& names, std::string_view server) {
  std::string host = lower(server);
  if (std::string address = canonical_address(host); !address.empty())
    return std::find(names.addresses.begin(), names.addresses.end(), address) != names.addresses.end();
  if (!host.empty() && host.back() == '.') host.pop_back();
  return !host.empty() && std::find(names.hosts.begin(), names.hosts.end(), host) != names.hosts.end();
}

std::string cert_names_text(const CertNames& names) {
  std::string out;
  int n = 0;
  for (const auto* list : {&names.hosts, &names.addresses})
    for (const std::string& name : *list) {
      if (++n > 3) return out + ", ...";
      if (n > 1) out += ", ";
      out += name.substr(0, 80);
    }
  return out.empty() ? "nobody" : out;
}

}  // namespace pua
