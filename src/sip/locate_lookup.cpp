#include "sip/locate_lookup.h"


#include <algorithm>
#include <memory>
#include <utility>

#include "core/uri.h"
#include "sip/dns_client.h"
#include "sip/dns_files.h"

namespace pua {
namespace {

constexpr size_t kMostNotes = 6;  // answers that the reason of a failure names

std::string service_name(Transport t, const std::string& domain) {
  const char* prefix = t == Transport::Tls ? "_sips._tcp." : t == Transport::Tcp ? "_sip._tcp." : "_sip._udp.";
  return prefix + domain;
}

}  // namespace

Lookup::Lookup(Tools tools, Place place, MonoMs until, std::function<void()> done)
    : tools_(tools), place_(std::move(place)), until_(until), done_(std::move(done)), timer_(tools.driver, on_timer, this) {}

Lookup::~Lookup() {
  for (const Question& q : open_) tools_.dns.cancel(q.id);
}

bool Lookup::start() {
  starting_ = true;
  if (place_.port != 0) {
    add_candidate(0, 0, place_.port, place_.transport, place_.host);
    ask_for_addresses();
  } else if (place_.transport_named) {
    asked_ours_ = true;
    ask_for_services(our_services());
  } else {
    enter(Step::Transports, kStepMs);
    ask(place_.host, DnsType::Naptr, &Lookup::on_naptr);
  }
  starting_ = false;
  return step_ == Step::Ended;
}

void Lookup::enter(Step step, int64_t ms) {
  step_ = step;
  timer_.arm(std::min<int64_t>(ms, until_ - tools_.now()));
}

void Lookup::ask(const std::string& name, DnsType type, void (Lookup::*then)(const std::string&, DnsType, const DnsAnswer&)) {
  auto id = std::make_shared<uint64_t>(0);  // known when ask() has returned
  *id = tools_.dns.ask(name, type, [this, id, name, type, then](const DnsAnswer& a) {
    std::erase_if(open_, [&](const Question& q) { return q.id == *id; });
    (this->*then)(name, type, a);
  });
  open_.push_back({*id, name, type});
}

void Lookup::note(const std::string& name, DnsType type, const DnsAnswer& a) {
  if (a.status != DnsStatus::Silent) findings_.heard = true;
  if (a.status == DnsStatus::Silent || a.status == DnsStatus::Failed) doubtful_ = true;
  if (a.status == DnsStatus::Found) {
    ttl_ms_ = std::min<int64_t>(ttl_ms_, static_cast<int64_t>(a.ttl) * 1000);
  } else {
    note(name, type, a.detail);
  }
}

void Lookup::note(const std::string& name, DnsType type, const std::string& what) {
  if (notes_.size() < kMostNotes) notes_.push_back(std::string(dns_type_name(type)) + " " + name + ": " + what);
}

// The time of a step is over: what has not been answered gives nothing.
void Lookup::on_timer(void* self) {
  Lookup& l = *static_cast<Lookup*>(self);
  if (l.step_ == Step::Ended) return;
  for (const Question& q : std::exchange(l.open_, {})) {
    l.tools_.dns.cancel(q.id);
    l.doubtful_ = true;
    l.note(q.name, q.type, "no answer");
  }
  if (l.until_ <= l.tools_.now() && l.step_ != Step::Addresses) return l.finish();
  if (l.step_ == Step::Transports) return l.choose_transports({});
  if (l.step_ == Step::Services) return l.services_known();
  l.finish();
}

// --- transports ----------------------------------------------------------------------------------------------------------

void Lookup::on_naptr(const std::string& name, DnsType type, const DnsAnswer& a) {
  note(name, type, a);
  choose_transports(a.naptrs);
}

// RFC 3263 section 4.1: of the services that we know those with the least order, by their preference.
void Lookup::choose_transports(const std::vector<DnsNaptr>& records) {
  std::vector<std::pair<const DnsNaptr*, Transport>> known;
  for (const DnsNaptr& n : records) {
    if (!same_word(n.flags, "s") || !n.regexp.empty() || n.replacement.empty()) continue;
    if (same_word(n.service, "SIPS+D2T") && tools_.reach.tls) known.push_back({&n, Transport::Tls});
    if (place_.secure()) continue;
    if (same_word(n.service, "SIP+D2U")) known.push_back({&n, Transport::Udp});
    if (same_word(n.service, "SIP+D2T")) known.push_back({&n, Transport::Tcp});
  }
  std::stable_sort(known.begin(), known.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->order, a.first->preference) < std::pair(b.first->order, b.first->preference);
  });
  std::vector<Service> services;
  for (const auto& [n, transport] : known) {
    if (n->order != known[0].first->order || services.size() == 4) break;
    services.push_back({transport, n->replacement, false, {}});
  }
  if (!records.empty() && services.empty()) note(place_.host, DnsType::Naptr, "no transport of ours");
  asked_ours_ = services.empty();
  ask_for_services(services.empty() ? our_services() : std::move(services));
}

// --- services ------------------------------------------------------------------------------------------------------------

std::vector<Lookup::Service> Lookup::our_services() const {
  std::vector<Transport> transports = {place_.transport};
  if (!place_.transport_named && !place_.secure()) transports.push_back(Transport::Tcp);
  std::vector<Service> out;
  for (Transport t : transports) out.push_back({t, service_name(t, place_.host), false, {}});
  return out;
}

void Lookup::ask_for_services(std::vector<Service> services) {
  services_ = std::move(services);
  enter(Step::Services, kStepMs);
  for (const Service& s : services_) ask(s.name, DnsType::Srv, &Lookup::on_srv);
}

void Lookup::on_srv(const std::string& name, DnsType type, const DnsAnswer& a) {
  note(name, type, a);
  for (Service& s : services_) {
    if (s.name != name) continue;
    for (const DnsSrv& r : a.srvs) {
      if (!r.target.empty()) s.records.push_back(r);
    }
    s.declined = !a.srvs.empty() && s.records.empty();
    if (s.declined) note(name, type, "the domain has no such service");
    break;
  }
  if (open_.empty()) services_known();
}

void Lookup::services_known() {
  uint32_t place = 0;
  for (const Service& s : services_) {
    for (const DnsSrv& r : s.records) add_candidate(place << 16 | r.priority, r.weight, r.port, s.transport, r.target);
    place++;
  }
  if (wanted_.empty() && !asked_ours_) {  // NAPTR records that lead nowhere
    asked_ours_ = true;
    return ask_for_services(our_services());
  }
  if (wanted_.empty()) {
    // No SRV records: the host itself, by the first transport that is not declined.
    auto s = std::find_if(services_.begin(), services_.end(), [](const Service& x) { return !x.declined; });
    if (s == services_.end()) return finish();
    add_candidate(0, 0, default_port(s->transport), s->transport, place_.host);
  }
  std::stable_sort(wanted_.begin(), wanted_.end(),
                   [](const Wanted& a, const Wanted& b) { return a.rank != b.rank ? a.rank < b.rank : a.weight > b.weight; });
  if (wanted_.size() > kMostServers) wanted_.resize(kMostServers);
  ask_for_addresses();
}

void Lookup::add_candidate(uint32_t rank, uint16_t weight, uint16_t port, Transport transport, const std::string& host) {
  wanted_.push_back({rank, weight, port, transport, host});
}

// --- addresses -----------------------------------------------------------------------------------------------------------

void Lookup::ask_for_addresses() {
  enter(Step::Addresses, until_ - tools_.now());
  for (const Wanted& w : wanted_) {
    auto [it, is_new] = hosts_.try_emplace(w.host);
    if (is_new) look_up_host(w.host, it->second);
  }
  if (open_.empty()) finish();
}

void Lookup::look_up_host(const std::string& name, Host& host) {
  const std::vector<DnsAddress>* known = tools_.files.host(name);
  DnsAddress literal;
  if (known) {
    host.addresses = *known;
    ttl_ms_ = std::min(ttl_ms_, kHostsTtl);
  } else if (read_address(name, literal)) {  // not allowed as the target of an SRV record, but seen
    host.addresses = {literal};
  } else {
    for (DnsType type : {DnsType::A, DnsType::Aaaa}) {
      if (type == DnsType::A ? !tools_.reach.v4 : !tools_.reach.v6) continue;
      host.open++;
      ask(name, type, &Lookup::on_address);
    }
  }
}

void Lookup::on_address(const std::string& name, DnsType type, const DnsAnswer& a) {
  note(name, type, a);
  Host& host = hosts_[name];
  host.open--;
  other_family_ = other_family_ || (a.status == DnsStatus::NoData && !(tools_.reach.v4 && tools_.reach.v6));
  host.addresses.insert(host.addresses.end(), a.addresses.begin(), a.addresses.end());
  if (open_.empty()) return finish();
  bool enough = std::all_of(hosts_.begin(), hosts_.end(),
                            [](const auto& h) { return h.second.open == 0 || !h.second.addresses.empty(); });
  if (enough && !std::exchange(hurrying_, true)) enter(Step::Addresses, kOtherFamilyMs);
}

// --- the end -------------------------------------------------------------------------------------------------------------

void Lookup::finish() {
  step_ = Step::Ended;
  timer_.stop();
  for (const Wanted& w : wanted_) {
    Candidate c{w.rank, w.weight, {}};
    for (bool v6 : {tools_.reach.v6_first, !tools_.reach.v6_first}) {
      if (v6 ? !tools_.reach.v6 : !tools_.reach.v4) continue;
      for (const DnsAddress& a : hosts_[w.host].addresses)
        if (a.v6 == v6) c.servers.push_back(server_at(a, w.port, w.transport, w.host, place_.domain));
    }
    if (!c.servers.empty()) findings_.candidates.push_back(std::move(c));
  }
  if (!findings_.candidates.empty()) {
    findings_.state = Findings::State::Found;
    findings_.ttl_ms = std::clamp(doubtful_ ? std::min(ttl_ms_, kDoubtfulTtl) : ttl_ms_, kShortestTtl, kLongestTtl);
  } else {
    findings_.state = doubtful_ ? Findings::State::Unanswered : Findings::State::Nothing;
    findings_.ttl_ms = doubtful_ ? kUnansweredTtl : kNothingTtl;
    findings_.why = "no server for " + place_.host + " was found: ";
    for (size_t i = 0; i < notes_.size(); i++) findings_.why += (i ? "; " : "") + notes_[i];
    if (other_family_)
      findings_.why += std::string("; no address of sip_listen is an IPv") + (tools_.reach.v4 ? "6" : "4") + " one";
  }
  if (!starting_) std::exchange(done_, {})();  // may destroy this
}

}  // namespace pua
