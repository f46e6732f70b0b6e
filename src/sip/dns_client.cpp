#include "sip/dns_client.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <sofia-sip/su_wait.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sip/su_driver.h"
#include "sip/su_timer.h"

namespace pua {
namespace {

constexpr int kUdpOctets = 1232;  // what arrives everywhere in one piece (DNS flag day 2020)

// c-ares writes without MSG_NOSIGNAL: a name server that ends its TCP connection early would end the host by SIGPIPE.
const ares_socket_functions kSockets = {
    [](int family, int type, int protocol, void*) -> ares_socket_t {
      return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    },
    [](ares_socket_t fd, void*) { return close(fd); },
    [](ares_socket_t fd, const sockaddr* to, ares_socklen_t length, void*) { return connect(fd, to, length); },
    [](ares_socket_t fd, void* octets, size_t length, int flags, sockaddr* from, ares_socklen_t* from_length, void*) {
      return static_cast<ares_ssize_t>(recvfrom(fd, octets, length, flags, from, from_length));
    },
    [](ares_socket_t fd, const iovec* parts, int count, void*) {
      msghdr m{};
      m.msg_iov = const_cast<iovec*>(parts);
      m.msg_iovlen = static_cast<size_t>(count);
      return static_cast<ares_ssize_t>(sendmsg(fd, &m, MSG_NOSIGNAL));
    },
};

}  // namespace

// A question that is out: a c-ares channel of its own. So each has a port and an id that nobody can guess, its own list of name
// servers, and ends by itself. c-ares calls nothing of ours but on_answer and on_socket, which only note what happened; what
// follows from that is done after c-ares has returned, so that a channel can be ended at any time.
struct Question : std::enable_shared_from_this<Question> {
  struct Socket {
    Question* question;
    int fd;
    int id;  // of the reactor
  };

  DnsClient::State* client = nullptr;  // null: closed
  SuDriver* driver = nullptr;
  uint64_t id = 0;
  std::string name;
  DnsType type = DnsType::A;
  DnsClient::Done done;
  ares_channel channel = nullptr;
  std::vector<std::unique_ptr<Socket>> sockets;
  std::unique_ptr<SuTimer> timer;
  bool answered = false;
  DnsAnswer answer;
  int timeouts = 0;
  size_t first = 0, errors = 0;  // which name server is asked first; how many answered with an error code

  bool start(const DnsLimits&, const std::vector<NameServer>&);
  void stop();
  void process(ares_socket_t readable, ares_socket_t writable);
  void arm();

  static void on_answer(void* self, int status, int timeouts, unsigned char* octets, int length);
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static int on_ready(su_root_magic_t*, su_wait_t*, su_wakeup_arg_t* socket);
  static void on_timer(void* self);
};

class DnsClient::State : public std::enable_shared_from_this<State> {
 public:
  State(SuDriver& driver, DnsLimits limits) : driver_(driver), limits_(limits) {}

  void use(std::vector<NameServer> servers) {
    servers_ = std::move(servers);
    preferred_ = 0;
  }
  uint64_t ask(const std::string& name, DnsType type, Done done);
  void cancel(uint64_t id);
  void close();
  size_t open() const { return open_; }
  // When c-ares has returned: hands over the answer, or waits on.
  void look(const std::shared_ptr<Question>&);

 private:
  void start_waiting();
  void end(const std::shared_ptr<Question>&);
  bool ask_another(Question&);

  SuDriver& driver_;
  DnsLimits limits_;
  std::vector<NameServer> servers_;
  size_t preferred_ = 0;  // the name server that answered last, and is asked first
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Question>> questions_;
  std::deque<uint64_t> waiting_;  // those that are not out yet; some may be cancelled
  size_t open_ = 0;
};

// --- one question ------------------------------------------------------------------------------------------------------

bool Question::start(const DnsLimits& limits, const std::vector<NameServer>& servers) {
  ares_options o{};
  char lookups[] = "b", no_file[] = "/dev/null";
  o.flags = ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP;  // error codes come to us
  o.timeout = limits.try_ms;
  o.tries = limits.rounds;
  o.ednspsz = kUdpOctets;
  o.lookups = lookups;
  o.resolvconf_path = no_file;  // the name servers are those of our own reading
  o.sock_state_cb = on_socket;
  o.sock_state_cb_data = this;
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
             ARES_OPT_RESOLVCONF | ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB;
  if (ares_init_options(&channel, &o, mask) != ARES_SUCCESS) {
    channel = nullptr;
    return false;
  }
  ares_set_socket_functions(channel, &kSockets, nullptr);
  std::vector<ares_addr_port_node> nodes(servers.size());
  for (size_t i = 0; i < nodes.size(); i++) {
    const NameServer& s = servers[(first + i) % servers.size()];
    ares_addr_port_node& n = nodes[i];
    n = {};
    n.next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    n.family = s.address.v6 ? AF_INET6 : AF_INET;
    std::memcpy(&n.addr, s.address.octets.data(), s.address.v6 ? 16 : 4);
    n.udp_port = n.tcp_port = s.port;
  }
  if (ares_set_servers_ports(channel, nodes.data()) != ARES_SUCCESS) return false;
  ares_query(channel, name.c_str(), ns_c_in, static_cast<int>(type), on_answer, this);
  return true;
}

void Question::stop() {
  if (ares_channel gone = std::exchange(channel, nullptr)) ares_destroy(gone);  // ends the sockets by on_socket
}

void Question::on_answer(void* self, int status, int timeouts, unsigned char* octets, int length) {
  auto* q = static_cast<Question*>(self);
  if (!q->channel && status != ARES_SUCCESS) return;  // stop() ends the channel
  q->answered = true;
  q->timeouts = timeouts;
  if (octets && length > 0) {
    q->answer = read_dns_answer({reinterpret_cast<char*>(octets), static_cast<size_t>(length)}, q->name, q->type);
    return;
  }
  q->answer = {};
  q->answer.status = status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED ? DnsStatus::Silent : DnsStatus::Failed;
  q->answer.detail = status == ARES_ETIMEOUT       ? "no answer"
                     : status == ARES_ECONNREFUSED ? "no name server can be reached"
                                                   : ares_strerror(status);
}

void Question::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  auto* q = static_cast<Question*>(self);
  su_root_t* root = q->driver->root();
  int events = (readable ? SU_WAIT_IN : 0) | (writable ? SU_WAIT_OUT : 0);
  auto it = std::find_if(q->sockets.begin(), q->sockets.end(), [&](const auto& s) { return s->fd == fd; });
  if (it != q->sockets.end()) {
    if (events != 0) {
      su_root_eventmask(root, (*it)->id, fd, events);
      return;
    }
    su_root_deregister(root, (*it)->id);  // the socket is about to be closed
    q->sockets.erase(it);
    return;
  }
  if (events == 0) return;
  auto s = std::make_unique<Socket>(Socket{q, fd, -1});
  su_wait_t wait[1] = {SU_WAIT_INIT};
  if (su_wait_create(wait, fd, events) != 0) return;
  s->id = su_root_register(root, wait, on_ready, s.get(), 0);
  if (s->id > 0) q->sockets.push_back(std::move(s));  // else only the timer is left, and the question goes unanswered
}

int Question::on_ready(su_root_magic_t*, su_wait_t* wait, su_wakeup_arg_t* arg) {
  auto* socket = static_cast<Socket*>(arg);
  const int fd = socket->fd;
  const int events = su_wait_events(wait, fd);
  std::shared_ptr<Question> q = socket->question->shared_from_this();
  q->process(events & ~SU_WAIT_OUT ? fd : ARES_SOCKET_BAD, events & SU_WAIT_OUT ? fd : ARES_SOCKET_BAD);
  return 0;
}

void Question::on_timer(void* self) {
  auto q = static_cast<Question*>(self)->shared_from_this();
  if (!q->answered) return q->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  if (q->client) q->client->look(q);
}

void Question::process(ares_socket_t readable, ares_socket_t writable) {
  if (!client || !channel) return;
  ares_process_fd(channel, readable, writable);
  client->look(shared_from_this());
}

// c-ares has a clock of its own; the timer only has it look there.
void Question::arm() {
  int64_t ms = 1;
  if (!answered) {
    timeval most{60, 0}, room{};
    timeval* tv = ares_timeout(channel, &most, &room);
    ms = tv ? static_cast<int64_t>(tv->tv_sec) * 1000 + tv->tv_usec / 1000 + 1 : 60000;
  }
  timer->arm(ms);
}

// --- all of them -------------------------------------------------------------------------------------------------------

uint64_t DnsClient::State::ask(const std::string& name, DnsType type, Done done) {
  auto q = std::make_shared<Question>();
  q->client = this;
  q->driver = &driver_;
  q->id = next_id_++;
  q->name = name;
  q->type = type;
  q->done = std::move(done);
  questions_[q->id] = q;
  waiting_.push_back(q->id);
  start_waiting();
  return q->id;
}

void DnsClient::State::start_waiting() {
  while (!waiting_.empty() && open_ < limits_.max_open) {
    auto it = questions_.find(waiting_.front());
    waiting_.pop_front();
    if (it == questions_.end()) continue;
    Question& q = *it->second;
    open_++;
    q.first = preferred_;
    q.timer = std::make_unique<SuTimer>(driver_, Question::on_timer, &q);
    if (!q.start(limits_, servers_)) {
      q.answered = true;
      q.answer.status = DnsStatus::Failed;
      q.answer.detail = "no memory for the question";
    }
    q.arm();
  }
}

void DnsClient::State::end(const std::shared_ptr<Question>& q) {
  if (q->timer) open_--;
  q->client = nullptr;
  q->stop();
  q->timer.reset();
}

// An error code is the word of one name server: the next one may know better.
bool DnsClient::State::ask_another(Question& q) {
  if (q.answer.status != DnsStatus::Failed || !q.channel || ++q.errors >= servers_.size()) return false;
  q.stop();
  q.first = (q.first + static_cast<size_t>(q.timeouts) + 1) % servers_.size();
  q.answered = false;
  DnsAnswer said = std::exchange(q.answer, {});
  if (q.start(limits_, servers_)) {
    q.arm();
    return true;
  }
  q.answer = std::move(said);
  return false;
}

void DnsClient::State::look(const std::shared_ptr<Question>& q) {
  if (!q->answered) return q->arm();
  if (ask_another(*q)) return;
  auto self = shared_from_this();
  if (q->answer.status != DnsStatus::Silent && !servers_.empty())
    preferred_ = (q->first + static_cast<size_t>(q->timeouts)) % servers_.size();
  questions_.erase(q->id);
  end(q);
  Done done = std::move(q->done);
  start_waiting();
  done(q->answer);
}

void DnsClient::State::cancel(uint64_t id) {
  auto it = questions_.find(id);
  if (it == questions_.end()) return;
  std::shared_ptr<Question> q = std::move(it->second);
  questions_.erase(it);
  end(q);
  start_waiting();
}

void DnsClient::State::close() {
  waiting_.clear();
  for (auto& [id, q] : std::exchange(questions_, {})) end(q);
}

DnsClient::DnsClient(SuDriver& driver, DnsLimits limits) : state_(std::make_shared<State>(driver, limits)) {}
DnsClient::~DnsClient() { state_->close(); }
void DnsClient::use(std::vector<NameServer> servers) { state_->use(std::move(servers)); }
uint64_t DnsClient::ask(const std::string& name, DnsType type, Done done) { return state_->ask(name, type, std::move(done)); }
void DnsClient::cancel(uint64_t question) { state_->cancel(question); }
size_t DnsClient::open() const { return state_->open(); }

}  // namespace pua
