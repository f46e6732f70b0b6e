#include "sip/dns_files.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace pua {
namespace {

constexpr size_t kLongestFile = 1u << 20;  // octets that are read of one; more are not looked at

std::string content(const std::string& path) {
  std::string out;
  // Not blocking: the path may name a pipe. A folder or a device gives nothing.
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return out;
  char part[16384];
  ssize_t n;
  while (out.size() < kLongestFile && (n = read(fd, part, sizeof part)) > 0) out.append(part, static_cast<size_t>(n));
  close(fd);
  return out;
}

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The next word of the line, taken off its front; empty: none is left.
std::string_view word(std::string_view& line) {
  size_t from = 0;
  while (from < line.size() && blank(line[from])) from++;
  size_t to = from;
  while (to < line.size() && !blank(line[to])) to++;
  std::string_view out = line.substr(from, to - from);
  line.remove_prefix(to);
  return out;
}

// Calls fn with each line, without what stands behind one of `comment`.
template <class F>
void each_line(std::string_view text, const char* comment, F fn) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    fn(line.substr(0, line.find_first_of(comment)));
  }
}

}  // namespace

std::vector<NameServer> read_resolv_conf(std::string_view text) {
  std::vector<NameServer> out;
  uint16_t port = 53;
  each_line(text, "#;", [&](std::string_view line) {
    std::string_view key = word(line), value = word(line);
    NameServer s;
    uint16_t number = 0;
    if (key == "nameserver" && out.size() < kMostNameServers && read_address(value, s.address)) {
      out.push_back(s);
    } else if (key == "port") {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error == std::errc() && end == value.data() + value.size() && number != 0) port = number;
    }
  });
  if (out.empty()) {
    NameServer own;
    read_address("127.0.0.1", own.address);
    out.push_back(own);
  }
  for (NameServer& s : out) s.port = port;
  return out;
}

Hosts read_hosts(std::string_view text) {
  Hosts out;
  std::string name;
  each_line(text, "#", [&](std::string_view line) {
    DnsAddress address;
    if (!read_address(word(line), address) || is_no_server(address)) return;
    for (std::string_view w = word(line); !w.empty(); w = word(line)) {
      if (!host_name(w, name)) continue;
      auto it = out.find(name);
      if (it == out.end() && out.size() >= kMostHosts) continue;
      std::vector<DnsAddress>& list = it == out.end() ? out[name] : it->second;
      if (list.size() < kMostHostAddresses) list.push_back(address);
    }
  });
  return out;
}

bool DnsFiles::Stamp::operator==(const Stamp& o) const {
  auto same = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
  return there == o.there && device == o.device && inode == o.inode && size == o.size && same(modified, o.modified) &&
         same(changed, o.changed);
}

DnsFiles::DnsFiles(std::string resolv_conf, std::string hosts) {
  resolv_conf_.path = std::move(resolv_conf);
  hosts_file_.path = std::move(hosts);
  look(true);
}

DnsFiles::Stamp DnsFiles::stamp_of(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return {};
  return {true, st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
}

bool DnsFiles::changed(File& f, bool always) {
  Stamp now = stamp_of(f.path);  // before it is read: what is written meanwhile is seen the next time
  if (f.known && now == f.stamp && !always) return false;
  f.known = true;
  f.stamp = now;
  return true;
}

bool DnsFiles::look(bool always) {
  bool any = false;
  if (changed(resolv_conf_, always)) {
    servers_ = read_resolv_conf(content(resolv_conf_.path));
    any = true;
  }
  if (changed(hosts_file_, always)) {
    hosts_ = read_hosts(content(hosts_file_.path));
    any = true;
  }
  return any;
}

std::string DnsFiles::servers_text() const {
  std::string out;
  for (const NameServer& s : servers_) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(s.address.v6 ? AF_INET6 : AF_INET, s.address.octets.data(), text, sizeof text);
    if (!out.empty()) out += ", ";
    if (s.port == 53) {
      out += text;
    } else {
      out += (s.address.v6 ? "[" + std::string(text) + "]" : std::string(text)) + ":" + std::to_string(s.port);
    }
  }
  return out;
}

const std::vector<DnsAddress>* DnsFiles::host(const std::string& name) const {
  auto it = hosts_.find(name);
  return it == hosts_.end() ? nullptr : &it->second;
}

}  // namespace pua
