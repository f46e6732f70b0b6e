#include "sip/locate.h"

#include <algorithm>
#include <cinttypes>
#include <deque>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "sip/dns_client.h"
#include "sip/dns_files.h"
#include "sip/locate_lookup.h"
#include "sip/locate_order.h"
#include "sip/locate_place.h"
#include "sip/su_driver.h"
#include "sip/su_timer.h"

namespace pua {
namespace {

constexpr MonoMs kLookAtFiles = 1000;   // the files are looked at no more often than this
constexpr MonoMs kStaleFor = 86400000;  // an answer whose time is over is still used, where there is no other
constexpr MonoMs kStaleAgain = 30000;   // and asked for again after that time (RFC 8767 section 5)
constexpr int64_t kAheadPart = 10;      // the last tenth of its time, in which a name that is used is asked for anew
constexpr int kToldATurn = 32;          // requests that go on in one turn of the loop

struct Name : ListHook {
  enum class State : uint8_t {
    New,      // nothing is known yet
    Known,    // candidates
    Missing,  // why
  };
  std::string key;
  Place place;
  State state = State::New;
  std::vector<Candidate> candidates;
  Servers fixed;  // all of them, in the order in which they are tried where there is no choice
  bool choice = false;
  std::string why;
  MonoMs good_until = 0;   // what is known is not asked for before
  MonoMs ahead_from = 0;   // known: from here on it is asked for while it is still good
  MonoMs stale_until = 0;  // known: of use where nothing else is to be had
  std::unique_ptr<Lookup> lookup;
  MonoMs lookup_until = 0;
  std::list<uint64_t> waiters;  // tokens
  bool telling = false;         // it stands in the list of those whose waiters are to be told
};

std::string key_of(const Place& p) {
  std::string k = p.host;
  k.push_back('|');
  k.push_back(static_cast<char>('0' + static_cast<int>(p.transport) + (p.transport_named ? 4 : 0)));
  k += std::to_string(p.port);
  if (p.domain != p.host) k.append("|").append(p.domain);
  return k;
}

}  // namespace

class Locator::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(SuDriver& driver, LocatorSettings settings, LocatorSink& sink, Log& log, Random& random, std::function<MonoMs()> now)
      : driver_(driver),
        settings_(std::move(settings)),
        sink_(sink),
        log_(log),
        random_(random),
        now_(std::move(now)),
        reach_{settings_.v4, settings_.v6, settings_.v6_first, settings_.tls},
        files_(settings_.resolv_conf.empty() ? "/etc/resolv.conf" : settings_.resolv_conf, settings_.hosts),
        dns_(driver, {settings_.try_ms, 2, settings_.max_questions}),
        tell_timer_(driver, on_tell_timer, this) {
    dns_.use(files_.servers());
  }

  Located locate(const Target& hop, uint64_t token);
  void cancel(uint64_t token);
  void failed(const Server& s, int64_t retry_after_s) {
    MonoMs ms = retry_after_s > 0 ? std::min<int64_t>(retry_after_s, kLongestHold / 1000) * 1000 : kHold;
    holds_.hold(s, now_() + ms, now_(), retry_after_s > 0);
  }
  void works(const Server& s) { holds_.release(s); }
  bool asks_for_quiet(const Server& s) const { return holds_.asked(s, now_()); }
  void reread() {
    if (closed_) return;
    files_.look(true);
    counters_.config_reads++;
    start_anew();
    driver_.kick();
  }
  void close();
  LocatorCounters counters() const { return counters_; }
  size_t waiting() const { return tokens_.size(); }

 private:
  struct Waiter {
    Name* name;
    std::list<uint64_t>::iterator at;
  };

  Located found(Servers servers) const { return {Located::State::Found, std::move(servers), {}}; }
  Located refused(const char* what);
  Name* name_for(const Place&);
  bool make_room();
  Servers pick(Name&);
  void look_at_files();
  void start_anew();
  bool start_lookup(Name&, MonoMs until);
  void on_lookup(Name&);
  void take_in(Name&);
  void take_servers(Name&, std::vector<Candidate>, int64_t ttl_ms);
  void say_whether_heard(const Findings&);
  static void on_tell_timer(void* self);
  void tell();

  SuDriver& driver_;
  LocatorSettings settings_;
  LocatorSink& sink_;
  Log& log_;
  Random& random_;
  std::function<MonoMs()> now_;
  Reach reach_;
  DnsFiles files_;
  DnsClient dns_;
  SuTimer tell_timer_;
  LocatorCounters counters_;
  Holds holds_;
  std::unordered_map<std::string, std::unique_ptr<Name>> names_;
  List<Name> used_;  // all names; the one used last stands at the end
  std::unordered_map<uint64_t, Waiter> tokens_;
  std::deque<Name*> to_tell_;
  size_t lookups_ = 0;
  MonoMs looked_ = -kLookAtFiles;
  bool deaf_ = false;  // the name servers did not answer; the log says so
  bool closed_ = false;
};

// --- asking --------------------------------------------------------------------------------------------------------------

Located Locator::Impl::locate(const Target& hop, uint64_t token) {
  if (closed_) return {Located::State::Failed, nullptr, "the SIP stack is shutting down"};
  Result<Place> place = read_place(hop, reach_);
  if (!place) return {Located::State::Failed, nullptr, place.error().message};
  if (place->kind != Place::Kind::Name) return found(std::make_shared<const std::vector<Server>>(servers_of(*place, reach_)));
  const MonoMs now = now_();
  Name* name = name_for(*place);
  if (!name) return refused("too many names are being looked up");
  if (name->state == Name::State::Known && now < name->ahead_from) return found(pick(*name));
  if (!name->lookup) look_at_files();
  if (name->state == Name::State::Missing && now < name->good_until) return {Located::State::Failed, nullptr, name->why};
  bool good = name->state == Name::State::Known && now < name->good_until;
  if (!name->lookup) {
    if (lookups_ < settings_.max_lookups) {
      if (start_lookup(*name, now + kDeadline)) {
        if (name->state == Name::State::Missing) return {Located::State::Failed, nullptr, name->why};
        return found(pick(*name));
      }
    } else if (name->state == Name::State::Known && now < name->stale_until) {
      good = true;
    } else {
      return refused("too many names are being looked up");
    }
  }
  if (good) return found(pick(*name));
  if (tokens_.size() >= settings_.max_waiting) return refused("too many requests wait for name servers");
  cancel(token);  // if it waits for another name
  name->waiters.push_back(token);
  tokens_[token] = {name, std::prev(name->waiters.end())};
  return {Located::State::Asking, nullptr, {}};
}

Located Locator::Impl::refused(const char* what) {
  counters_.refused++;
  return {Located::State::Failed, nullptr, what};
}

void Locator::Impl::cancel(uint64_t token) {
  auto it = tokens_.find(token);
  if (it == tokens_.end()) return;
  it->second.name->waiters.erase(it->second.at);
  tokens_.erase(it);
}

// --- names ---------------------------------------------------------------------------------------------------------------

Name* Locator::Impl::name_for(const Place& place) {
  std::string key = key_of(place);
  auto it = names_.find(key);
  if (it == names_.end()) {
    if (names_.size() >= settings_.max_names && !make_room()) return nullptr;
    auto name = std::make_unique<Name>();
    name->key = key;
    name->place = place;
    it = names_.emplace(std::move(key), std::move(name)).first;
  } else {
    List<Name>::erase(*it->second);
  }
  used_.push_back(*it->second);
  return it->second.get();
}

// Forgets the name that was used longest ago, of those that nobody waits for.
bool Locator::Impl::make_room() {
  for (size_t looks = names_.size(); looks > 0; looks--) {
    Name* n = used_.pop_front();
    if (!n->lookup && n->waiters.empty() && !n->telling) {
      names_.erase(std::string(n->key));
      return true;
    }
    used_.push_back(*n);
  }
  return false;
}

Servers Locator::Impl::pick(Name& name) {
  const MonoMs now = now_();
  bool held = holds_.any(now);
  if (name.fixed->size() == 1 || (!name.choice && !held)) return name.fixed;
  auto servers = std::make_shared<std::vector<Server>>(name.choice ? in_order(name.candidates, random_) : *name.fixed);
  if (held) holds_.put_last(*servers, now);
  return servers;
}

void Locator::Impl::look_at_files() {
  const MonoMs now = now_();
  if (now - looked_ < kLookAtFiles) return;
  looked_ = now;
  if (!files_.look()) return;
  counters_.config_reads++;
  log_.notice("The files that say how names are found have changed. The name servers are %s now.",
              files_.servers_text().c_str());
  start_anew();
}

// With other name servers, or another hosts file: everything is asked for again. What is known serves where that gives nothing.
void Locator::Impl::start_anew() {
  dns_.use(files_.servers());
  const MonoMs now = now_();
  for (auto& [key, n] : names_) {
    n->good_until = std::min(n->good_until, now);
    n->ahead_from = std::min(n->ahead_from, now);
    if (!n->lookup) continue;
    lookups_--;
    n->lookup.reset();
    if (start_lookup(*n, n->lookup_until) && !n->waiters.empty() && !std::exchange(n->telling, true))
      to_tell_.push_back(n.get());
  }
  if (!to_tell_.empty()) tell_timer_.arm(1);
}

// --- lookups -------------------------------------------------------------------------------------------------------------

// true: it has ended already.
bool Locator::Impl::start_lookup(Name& name, MonoMs until) {
  counters_.lookups++;
  lookups_++;
  name.lookup_until = until;
  name.lookup = std::make_unique<Lookup>(Lookup::Tools{driver_, dns_, files_, reach_, now_}, name.place, until,
                                         [this, &name] { on_lookup(name); });
  bool ended = name.lookup->start();
  if (ended) take_in(name);
  driver_.kick();
  return ended;
}

void Locator::Impl::on_lookup(Name& name) {
  auto self = shared_from_this();
  take_in(name);
  if (!name.waiters.empty() && !std::exchange(name.telling, true)) to_tell_.push_back(&name);
  look_at_files();
  tell();
}

void Locator::Impl::take_servers(Name& name, std::vector<Candidate> candidates, int64_t ttl_ms) {
  const MonoMs now = now_();
  name.state = Name::State::Known;
  name.candidates = std::move(candidates);
  name.choice = has_choice(name.candidates);
  name.fixed = std::make_shared<const std::vector<Server>>(in_order(name.candidates, random_));
  name.why.clear();
  name.good_until = now + ttl_ms;
  name.ahead_from = name.good_until - ttl_ms / kAheadPart;
  name.stale_until = name.good_until + kStaleFor;
}

void Locator::Impl::take_in(Name& name) {
  std::unique_ptr<Lookup> lookup = std::move(name.lookup);  // gone at the end of this
  lookups_--;
  Findings& f = lookup->findings();
  const MonoMs now = now_();
  say_whether_heard(f);
  if (f.state == Findings::State::Found) return take_servers(name, std::move(f.candidates), f.ttl_ms);
  counters_.failed++;
  if (f.state == Findings::State::Unanswered) counters_.unanswered++;
  if (f.state == Findings::State::Unanswered && name.state == Name::State::Known && now < name.stale_until) {
    counters_.stale++;
    name.good_until = name.ahead_from = std::max(name.good_until, now + kStaleAgain);
    return;
  }
  name.state = Name::State::Missing;
  name.candidates.clear();
  name.fixed.reset();
  name.why = std::move(f.why);
  name.good_until = now + f.ttl_ms;
}

// Once when it begins, and once when it is over.
void Locator::Impl::say_whether_heard(const Findings& f) {
  if (f.heard && deaf_) {
    deaf_ = false;
    log_.notice("The name servers (%s) answer again.", files_.servers_text().c_str());
  } else if (!f.heard && !deaf_ && f.state == Findings::State::Unanswered) {
    deaf_ = true;
    log_.warning("The name servers (%s) do not answer: %s. Names that are known are used on.", files_.servers_text().c_str(),
                 f.why.c_str());
  }
}

// --- telling -------------------------------------------------------------------------------------------------------------

void Locator::Impl::on_tell_timer(void* self) {
  auto impl = static_cast<Impl*>(self)->shared_from_this();
  impl->tell();
}

// Some of those who wait; the others in the next turns. The sink may do anything in between.
void Locator::Impl::tell() {
  for (int left = kToldATurn; !closed_ && !to_tell_.empty();) {
    Name& name = *to_tell_.front();
    if (name.waiters.empty() || name.state == Name::State::New) {
      name.telling = false;
      to_tell_.pop_front();
      continue;
    }
    if (left-- == 0) break;
    uint64_t token = name.waiters.front();
    name.waiters.pop_front();
    tokens_.erase(token);
    if (name.state == Name::State::Known) {
      sink_.on_located(token, pick(name), {});
    } else {
      std::string why = name.why;
      sink_.on_located(token, nullptr, why);
    }
  }
  if (!closed_ && !to_tell_.empty()) tell_timer_.arm(1);
}

void Locator::Impl::close() {
  if (std::exchange(closed_, true)) return;
  tell_timer_.stop();
  tokens_.clear();
  to_tell_.clear();
  // Where this runs inside on_located(), that lookup has ended already, and no other one is on the stack.
  for (auto& [key, n] : names_) n->lookup.reset();
  lookups_ = 0;
  names_.clear();
}

// --- the face ------------------------------------------------------------------------------------------------------------

Locator::Locator(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Locator::~Locator() { impl_->close(); }

std::unique_ptr<Locator> Locator::create(SuDriver& driver, LocatorSettings settings, LocatorSink& sink, Log& log,
                                         Random& random, std::function<MonoMs()> now) {
  return std::unique_ptr<Locator>(
      new Locator(std::make_shared<Impl>(driver, std::move(settings), sink, log, random, std::move(now))));
}

Located Locator::locate(const Target& hop, uint64_t token) { return impl_->locate(hop, token); }
void Locator::cancel(uint64_t token) { impl_->cancel(token); }
void Locator::failed(const Server& s, int64_t retry_after_s) { impl_->failed(s, retry_after_s); }
bool Locator::asks_for_quiet(const Server& s) const { return impl_->asks_for_quiet(s); }
void Locator::works(const Server& s) { impl_->works(s); }
void Locator::reread() { impl_->reread(); }
void Locator::shutdown() { impl_->close(); }
LocatorCounters Locator::counters() const { return impl_->counters(); }
size_t Locator::waiting() const { return impl_->waiting(); }

}  // namespace pua
