// Is a certificate for this SIP server? RFC 5922 section 7: the names in it, and how they are compared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace pua {

// Those whom the certificate is for. With a subjectAltName: the hosts of its sip: URIs without user part, or, where there is
// none, its DNS names; and its IP addresses. Without one: the common name.
struct CertNames {
  std::vector<std::string> hosts;      // lower case
  std::vector<std::string> addresses;  // as inet_ntop() writes them
};
CertNames cert_names(const x509_st* cert);

// server: a host name or an IP address without brackets. Names are compared whole: no wildcards (section 7.2).
bool cert_is_for(const CertNames&, std::string_view server);

// The names as a reader wants them: "a.example, 192.0.2.1"; at most three.
std::string cert_names_text(const CertNames&);

}  // namespace pua
