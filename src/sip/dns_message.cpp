#include "sip/dns_message.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace pua {
namespace {

constexpr size_t kHeader = 12;
constexpr int kMostAliases = 8;
constexpr int kMostJumps = 32;
constexpr size_t kLongestName = 253;

bool name_octet(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Reads forward; after a read that does not fit, ok() is false and all reads give nothing.
class Reader {
 public:
  Reader(std::string_view octets, size_t at) : octets_(octets), at_(at) {}
  bool ok() const { return ok_; }
  size_t at() const { return at_; }

  uint32_t number(int octets) {
    uint32_t n = 0;
    for (int i = 0; i < octets; i++) n = n << 8 | next();
    return n;
  }
  std::string_view take(size_t n) {
    if (!ok_ || octets_.size() - at_ < n) {
      ok_ = false;
      return {};
    }
    at_ += n;
    return octets_.substr(at_ - n, n);
  }
  std::string_view text() { return take(next()); }

  // A name, lower case; empty: the root. usable: it is one that a host may have.
  std::string name(bool& usable) {
    std::string out;
    usable = true;
    size_t from = at_;
    bool jumped = false;
    for (int jumps = 0;;) {
      if (!ok_ || from >= octets_.size()) return fail();
      unsigned length = static_cast<unsigned char>(octets_[from]);
      if (length >= 0xc0) {  // the rest stands earlier in the message
        if (from + 1 >= octets_.size() || ++jumps > kMostJumps) return fail();
        size_t to = (length & 0x3fu) << 8 | static_cast<unsigned char>(octets_[from + 1]);
        if (!jumped) at_ = from + 2;
        jumped = true;
        if (to >= from) return fail();
        from = to;
        continue;
      }
      if (length > 63 || octets_.size() - from - 1 < length) return fail();
      from += 1;
      if (length == 0) break;
      if (!out.empty()) out.push_back('.');
      for (char c : octets_.substr(from, length)) {
        usable = usable && name_octet(static_cast<unsigned char>(c));
        out.push_back(lower(c));
      }
      if (out.size() > kLongestName) return fail();
      from += length;
    }
    if (!jumped) at_ = from;
    return out;
  }

 private:
  unsigned next() {
    std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<unsigned char>(one[0]);
  }
  std::string fail() {
    ok_ = false;
    return {};
  }
  std::string_view octets_;
  size_t at_;
  bool ok_ = true;
};

struct Record {
  std::string owner;
  DnsType type;
  uint32_t ttl;
  size_t data, end;  // where its data stands
};

// The next record of class IN; false: the message ends, or is broken.
bool next_record(Reader& r, Record& out, bool& usable) {
  out.owner = r.name(usable);
  out.type = static_cast<DnsType>(r.number(2));
  usable = r.number(2) == 1 && usable;
  out.ttl = r.number(4);
  if (out.ttl > 0x7fffffffu) out.ttl = 0;  // RFC 2181 section 8
  size_t length = r.number(2);
  out.data = r.at();
  r.take(length);
  out.end = r.at();
  return r.ok();
}

// The data of a record; one that is broken or names what no host is called adds nothing.
void add(std::string_view octets, const Record& record, DnsAnswer& answer) {
  std::string_view all = octets.substr(0, record.end);
  Reader r(all, record.data);
  bool usable = true;
  if (record.type == DnsType::A || record.type == DnsType::Aaaa) {
    DnsAddress a;
    a.v6 = record.type == DnsType::Aaaa;
    size_t length = a.v6 ? 16 : 4;
    if (record.end - record.data != length) return;
    std::memcpy(a.octets.data(), octets.data() + record.data, length);
    if (!is_no_server(a)) answer.addresses.push_back(a);
  } else if (record.type == DnsType::Srv) {
    DnsSrv s;
    s.priority = static_cast<uint16_t>(r.number(2));
    s.weight = static_cast<uint16_t>(r.number(2));
    s.port = static_cast<uint16_t>(r.number(2));
    s.target = r.name(usable);
    if (r.ok() && usable && (s.port != 0 || s.target.empty())) answer.srvs.push_back(std::move(s));
  } else if (record.type == DnsType::Naptr) {
    DnsNaptr n;
    n.order = static_cast<uint16_t>(r.number(2));
    n.preference = static_cast<uint16_t>(r.number(2));
    n.flags = r.text();
    n.service = r.text();
    n.regexp = r.text();
    n.replacement = r.name(usable);
    if (r.ok() && usable) answer.naptrs.push_back(std::move(n));
  }
}

const char* code_text(unsigned code) {
  switch (code) {
    case 1: return "FORMERR";
    case 2: return "SERVFAIL";
    case 4: return "NOTIMP";
    case 5: return "REFUSED";
  }
  return "an unknown error code";
}

}  // namespace

const char* dns_type_name(DnsType t) {
  switch (t) {
    case DnsType::A: return "A";
    case DnsType::Cname: return "CNAME";
    case DnsType::Aaaa: return "AAAA";
    case DnsType::Srv: return "SRV";
    case DnsType::Naptr: return "NAPTR";
  }
  return "?";
}

bool read_address(std::string_view text, DnsAddress& out) {
  char copy[INET6_ADDRSTRLEN + 1];
  if (text.empty() || text.size() >= sizeof copy) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  if (std::strlen(copy) != text.size()) return false;
  out = {};
  out.v6 = text.find(':') != std::string_view::npos;
  return inet_pton(out.v6 ? AF_INET6 : AF_INET, copy, out.octets.data()) == 1;
}

bool is_no_server(const DnsAddress& a) {
  const auto& o = a.octets;
  auto zeros = [&](size_t n) {
    return std::all_of(o.begin(), o.begin() + static_cast<long>(n), [](uint8_t x) { return x == 0; });
  };
  if (!a.v6) return o[0] == 0 || (o[0] >= 224 && o[0] < 240) || (o[0] == 255 && o[1] == 255 && o[2] == 255 && o[3] == 255);
  return zeros(16) || o[0] == 0xff || (zeros(10) && o[10] == 0xff && o[11] == 0xff);
}

bool host_name(std::string_view text, std::string& out) {
  out.clear();
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty() || text.size() > kLongestName) return false;
  size_t label = 0;
  for (char c : text) {
    bool dot = c == '.';
    if (dot ? label == 0 : !name_octet(static_cast<unsigned char>(c)) || label == 63) return false;
    label = dot ? 0 : label + 1;
    out.push_back(lower(c));
  }
  return label != 0;
}

DnsAnswer read_dns_answer(std::string_view octets, std::string_view name, DnsType type) {
  DnsAnswer answer;
  answer.status = DnsStatus::Failed;
  answer.detail = "a broken answer";
  if (octets.size() < kHeader) return answer;
  Reader header(octets, 2);
  unsigned flags = header.number(2), questions = header.number(2), answers = header.number(2);
  unsigned code = flags & 0xfu;
  if (code != 0 && code != 3) {
    answer.detail = code_text(code);
    return answer;
  }
  Reader r(octets, kHeader);
  for (; questions > 0 && r.ok(); questions--) {
    bool usable;
    r.name(usable);
    r.take(4);
  }
  if (!r.ok()) return answer;
  const size_t first = r.at();
  std::string owner(name);
  uint32_t ttl = UINT32_MAX;
  for (int aliases = 0;; aliases++) {
    std::string next;
    Reader at(octets, first);
    Record record{};
    bool usable;
    size_t records = 0;
    for (unsigned left = answers; left > 0 && next_record(at, record, usable); left--) {
      if (!usable || record.owner != owner) continue;
      if (record.type == type && records < kMostRecords) {
        add(octets, record, answer);
        ttl = std::min(ttl, record.ttl);
        records++;
      } else if (record.type == DnsType::Cname && next.empty()) {
        bool good;
        Reader alias(octets.substr(0, record.end), record.data);
        next = alias.name(good);
        if (!alias.ok() || !good) next.clear();
        if (!next.empty() && records == 0) ttl = std::min(ttl, record.ttl);
      }
    }
    if (!at.ok()) return {DnsStatus::Failed, "a broken answer", 0, {}, {}, {}};
    if (records > 0 || next.empty() || aliases == kMostAliases) break;
    owner = std::move(next);
  }
  answer.detail.clear();
  if (!answer.addresses.empty() || !answer.srvs.empty() || !answer.naptrs.empty()) {
    answer.status = DnsStatus::Found;
    answer.ttl = ttl;
  } else {
    answer.status = code == 3 ? DnsStatus::NoName : DnsStatus::NoData;
    answer.detail = code == 3 ? "the name does not exist" : "none";
  }
  return answer;
}

}  // namespace pua
