#include "sip/inbound_refusal.h"

#include <cstdint>
#include <iterator>

#include "sip/inbound_frame.h"

namespace pua {
namespace {

struct Copied {
  const char* name;
  char compact;
  bool many;
};
constexpr Copied kCopied[] = {
    {"Via", 'v', true}, {"From", 'f', false}, {"To", 't', false}, {"Call-ID", 'i', false}, {"CSeq", 0, false}};
constexpr size_t kTo = 2;

// Has the value of a To a tag? Parameters of the URI stand within the brackets, where there are any.
bool tagged(std::string_view to) {
  size_t from = to.rfind('>');
  std::string_view params = from == std::string_view::npos ? to : to.substr(from);
  for (size_t at = params.find(';'); at != std::string_view::npos; at = params.find(';', at + 1)) {
    std::string_view p = params.substr(at + 1);
    while (!p.empty() && (p[0] == ' ' || p[0] == '\t' || p[0] == '\r' || p[0] == '\n')) p.remove_prefix(1);
    size_t end = p.find_first_of(" \t=;");
    if (names(p.substr(0, end), "tag")) return true;
  }
  return false;
}

}  // namespace

bool write_refusal(std::string_view head, int status, std::string_view reason, std::string_view to_tag, std::string& out) {
  if (names(head.substr(0, 4), "SIP/") || head.starts_with("ACK ")) return false;
  size_t before = out.size();
  out.append("SIP/2.0 ").append(std::to_string(status)).append(" ").append(reason).append("\r\n");
  uint32_t seen = 0;
  bool fine = true;
  HeadLines lines(head);
  for (HeadLines::Line line; lines.next(line);) {
    for (size_t i = 0; i < std::size(kCopied); i++) {
      if (!names(line.name, kCopied[i].name, kCopied[i].compact)) continue;
      if ((seen & (1u << i)) && !kCopied[i].many) fine = false;
      seen |= 1u << i;
      out.append(kCopied[i].name).append(": ").append(line.value);
      if (i == kTo && !tagged(line.value)) out.append(";tag=").append(to_tag);
      out.append("\r\n");
    }
  }
  if (!fine || seen != (1u << std::size(kCopied)) - 1) {
    out.resize(before);
    return false;
  }
  out.append("Content-Length: 0\r\n\r\n");
  return true;
}

}  // namespace pua
