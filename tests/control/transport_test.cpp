// The datagram socket and the FIFO, on real descriptors and a real event_base.
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/control/transport_rig.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(Transport, TransportRig){};

// --- datagrams -----------------------------------------------------------------------------------

TEST(Transport, dgram_answers_the_sender) {
  auto t = dgram();
  Client one(path), two(path);
  CHECK(one.send(kVersionRequest));
  CHECK(two.send(R"({"jsonrpc":"2.0","method":"version","id":2})"));
  turn();
  STRCMP_EQUAL(kVersionAnswer, one.receive().c_str());
  STRCMP_CONTAINS("\"id\":2", two.receive().c_str());
  LONGS_EQUAL(2, counters().replies);
}

TEST(Transport, dgram_socket_has_the_rights_of_the_setting) {
  umask(022);
  auto t = dgram(0660);
  struct stat st;
  LONGS_EQUAL(0, stat(path.c_str(), &st));
  LONGS_EQUAL(0660, st.st_mode & 07777);
}

TEST(Transport, dgram_takes_many_requests_in_few_turns_but_not_all_in_one) {
  auto t = dgram();
  Client c(path);
  int sent = 0;
  while (sent < 100 && c.send(kVersionRequest)) sent++;
  CHECK(sent > 5);
  event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  CHECK(counters().requests <= 64);
  for (int i = 0; i < 100 && counters().requests < sent; i++) turn();
  LONGS_EQUAL(sent, counters().requests);
}

// A request that took long is enough for one turn: SIP timers stand behind.
TEST(Transport, dgram_requests_behind_a_slow_one_wait_for_the_next_turn) {
  auto t = dgram();
  Client c(path);
  RecordView slow;
  slow.pres_uri = "sip:a@b";
  world->pua.records.push_back(slow);
  world->pua.when_listed = [] {
    for (auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5); std::chrono::steady_clock::now() < until;) {}
  };
  for (int id = 1; id <= 3; id++) {
    CHECK(c.send(R"({"jsonrpc":"2.0","method":"pua_list","id":)" + std::to_string(id) + "}"));
  }
  for (int id = 1; id <= 3; id++) {
    event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    STRCMP_CONTAINS(("\"id\":" + std::to_string(id) + "}").c_str(), c.receive().c_str());
    STRCMP_EQUAL("", c.receive().c_str());
  }
}

TEST(Transport, dgram_publish_is_answered_after_the_final_reply) {
  auto t = dgram();
  Client c(path);
  CHECK(c.send(kPublish));
  turn();
  STRCMP_EQUAL("", c.receive().c_str());
  world->pua.complete(200, "OK", "e", 60);
  STRCMP_CONTAINS("\"reply\":\"200 OK\"", c.receive().c_str());
}

TEST(Transport, dgram_reply_to_a_client_that_went_away_is_dropped_and_counted) {
  auto t = dgram();
  {
    Client c(path);
    CHECK(c.send(kPublish));
    turn();
  }
  world->pua.complete(200, "OK", "e", 60);
  LONGS_EQUAL(1, counters().replies_dropped);
}

TEST(Transport, dgram_replies_to_a_client_that_reads_late_all_arrive_in_order) {
  auto t = dgram();
  Client c(path);
  constexpr int kMany = 300;  // more than any usual net.unix.max_dgram_qlen would take from one turn
  for (int i = 0; i < kMany; i++) {
    CHECK(c.send(R"({"jsonrpc":"2.0","method":"version","id":)" + std::to_string(i) + "}"));
    turn();
  }
  LONGS_EQUAL(kMany, counters().requests);
  for (int i = 0; i < kMany; i++) {
    std::string answer = c.receive();
    for (int turns = 0; answer.empty() && turns < 100; turns++) {
      event_base_loop(base, EVLOOP_ONCE);
      answer = c.receive();
    }
    STRCMP_CONTAINS(("\"id\":" + std::to_string(i) + "}").c_str(), answer.c_str());
  }
  LONGS_EQUAL(kMany, counters().replies);
  LONGS_EQUAL(0, counters().replies_dropped);
}

TEST(Transport, dgram_replies_to_a_client_that_does_not_read_are_dropped_and_nothing_blocks) {
  auto t = dgram();
  Client c(path);
  std::string help = R"({"jsonrpc":"2.0","method":"help","id":1})";
  for (int i = 0; i < 2000; i++) {
    c.send(help);
    turn();
  }
  CHECK(counters().replies_dropped > 0);
  LONGS_EQUAL(2000, counters().requests);
  Client other(path);
  other.send(kVersionRequest);
  turn();
  STRCMP_EQUAL(kVersionAnswer, other.receive().c_str());
}

TEST(Transport, dgram_request_of_a_client_without_a_name_is_carried_out) {
  auto t = dgram();
  Client c(path, false);
  CHECK(c.send(R"({"jsonrpc":"2.0","method":"log_level","params":["debug"],"id":1})"));
  turn();
  LONGS_EQUAL(static_cast<int>(LogLevel::debug), static_cast<int>(world->pua.log().level()));
  LONGS_EQUAL(1, counters().replies_dropped);
}

TEST(Transport, dgram_request_over_the_limit_is_told_so) {
  world->context.max_request = 100;
  auto t = dgram();
  Client c(path);
  CHECK(c.send(std::string(50000, ' ')));
  turn();
  STRCMP_CONTAINS("longer than 100 octets, which is max_request\"", c.receive().c_str());
}

TEST(Transport, dgram_empty_datagram_is_a_parse_error) {
  auto t = dgram();
  Client c(path);
  CHECK(c.send(""));
  turn();
  STRCMP_CONTAINS("-32700", c.receive().c_str());
}

TEST(Transport, dgram_completions_after_the_transport_is_gone_go_nowhere) {
  auto t = dgram();
  Client c(path);
  CHECK(c.send(kPublish));
  turn();
  t.reset();
  world->pua.complete(200, "OK", "e", 60);
  STRCMP_EQUAL("", c.receive().c_str());
  LONGS_EQUAL(0, counters().replies);
}

TEST(Transport, dgram_long_answer_arrives_whole) {
  auto t = dgram();
  std::string body(100000, 'b');
  RecordView r;
  r.pres_uri = "sip:a@b";
  r.body = body;
  world->pua.records.push_back(r);
  Client c(path);
  CHECK(c.send(R"({"jsonrpc":"2.0","method":"pua_show","params":["sip:a@b"],"id":1})"));
  turn();
  CHECK(c.receive().size() > 100000);
}

TEST(Transport, dgram_answer_that_no_datagram_can_hold_is_told_so) {
  auto t = dgram();
  std::string body(600000, 'b');
  RecordView r;
  r.pres_uri = "sip:a@b";
  r.body = body;
  world->pua.records.push_back(r);
  Client c(path);
  CHECK(c.send(R"({"jsonrpc":"2.0","method":"pua_show","params":["sip:a@b"],"id":1})"));
  turn();
  std::string told = c.receive();
  CHECK(told.size() < 200);
  STRCMP_CONTAINS("-32000", told.c_str());
}

TEST(Transport, dgram_socket_file_is_removed_at_the_end) {
  dgram().reset();
  CHECK(!std::filesystem::exists(path));
}

TEST(Transport, dgram_socket_file_of_a_successor_is_left_alone) {
  auto t = dgram();
  std::filesystem::remove(path);
  auto successor = dgram();
  CHECK(!t->still_there());
  t.reset();
  CHECK(std::filesystem::exists(path));
  CHECK(successor->still_there());
}

TEST(Transport, dgram_stale_socket_is_replaced) {
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  LONGS_EQUAL(0, bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  close(fd);
  auto t = dgram();
  Client c(path);
  CHECK(c.send(kVersionRequest));
  turn();
  STRCMP_EQUAL(kVersionAnswer, c.receive().c_str());
}

TEST(Transport, dgram_socket_that_somebody_answers_on_is_refused) {
  auto t = dgram();
  refused(DgramTransport::open(base, *dispatcher, path, 0600), "in use");
  Client c(path);
  CHECK(c.send(kVersionRequest));
}

TEST(Transport, dgram_path_that_is_no_socket_is_refused_and_left) {
  std::ofstream(path) << "precious";
  refused(DgramTransport::open(base, *dispatcher, path, 0600), "no socket");
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST(Transport, dgram_paths_that_cannot_be_are_refused) {
  refused(DgramTransport::open(base, *dispatcher, dir + "/none/x.sock", 0600), "No such file");
  refused(DgramTransport::open(base, *dispatcher, "/" + std::string(200, 'x'), 0600), "107 octets");
  refused(DgramTransport::open(base, *dispatcher, "", 0600), "107 octets");
}

// What nobody took, and why, stands in the log: who set up the client or the service sees what to change.
// --- FIFO ----------------------------------------------------------------------------------------

TEST(Transport, fifo_answers_opensips_framing) {
  auto t = fifo();
  int reply = make_reply_fifo("opensips_reply_1");
  to_fifo(std::string(":opensips_reply_1:") + kVersionRequest);
  turn();
  STRCMP_EQUAL((std::string(kVersionAnswer) + "\n").c_str(), read_all(reply).c_str());
  close(reply);
  LONGS_EQUAL(1, counters().replies);
}

TEST(Transport, fifo_answers_kamailio_framing) {
  auto t = fifo();
  int reply = make_reply_fifo("kamailio_receiver_1");
  to_fifo(
      "{\n \"jsonrpc\": \"2.0\",\n \"method\": \"version\",\n \"reply_name\": \"kamailio_receiver_1\",\n \"id\": "
      "1\n}\n");
  turn();
  STRCMP_EQUAL((std::string(kVersionAnswer) + "\n").c_str(), read_all(reply).c_str());
  close(reply);
}

TEST(Transport, fifo_publish_is_answered_after_the_final_reply) {
  auto t = fifo();
  int reply = make_reply_fifo("r");
  to_fifo(std::string(":r:") + kPublish + "\n");
  turn();
  STRCMP_EQUAL("", read_all(reply).c_str());
  world->pua.complete(200, "OK", "e", 60);
  STRCMP_CONTAINS("200 OK", read_all(reply).c_str());
  close(reply);
}

TEST(Transport, fifo_request_without_a_reply_name_is_carried_out) {
  auto t = fifo();
  to_fifo("::{\"jsonrpc\":\"2.0\",\"method\":\"log_level\",\"params\":[\"debug\"],\"id\":1}");
  turn();
  LONGS_EQUAL(static_cast<int>(LogLevel::debug), static_cast<int>(world->pua.log().level()));
}

TEST(Transport, fifo_broken_request_is_told_so) {
  auto t = fifo();
  int reply = make_reply_fifo("r");
  to_fifo(":r:{\"jsonrpc\" \"2.0\"}\n");
  turn();
  STRCMP_CONTAINS("-32700", read_all(reply).c_str());
  close(reply);
}

TEST(Transport, fifo_client_that_closes_does_not_end_the_fifo) {
  auto t = fifo();
  to_fifo("::{}");
  turn();
  to_fifo("::{}");
  turn();
  LONGS_EQUAL(2, counters().requests);
}

TEST(Transport, fifo_reply_names_that_lead_elsewhere_are_refused) {
  for (const char* bad : {"", "..", ".", "../x", "a/b", "/tmp/x", ".hidden", "a..b", "a b", "a\nb", "a\\b", "x\xff"}) {
    CHECK_TEXT(!FifoReplies::name_allowed(bad), bad);
  }
  CHECK(!FifoReplies::name_allowed(std::string(129, 'n')));
  for (const char* good : {"a", "opensips_fifo_reply-1", "reply.1", "A_b-C.d"})
    CHECK_TEXT(FifoReplies::name_allowed(good), good);
}

TEST(Transport, fifo_reply_goes_into_fifos_only) {
  auto t = fifo();
  std::ofstream(dir + "/file") << "precious";
  int real = make_reply_fifo("real");
  std::filesystem::create_symlink(dir + "/real", dir + "/link");
  std::filesystem::create_hard_link(dir + "/real", dir + "/hard");
  for (const char* name : {"file", "link", "hard", "none", "../x"}) {
    to_fifo(std::string(":") + name + ":" + kVersionRequest + "\n");
    turn();
  }
  STRCMP_EQUAL("", read_all(real).c_str());
  LONGS_EQUAL(8, std::filesystem::file_size(dir + "/file"));
  LONGS_EQUAL(5, counters().replies_dropped);
  close(real);
}

TEST(Transport, fifo_reply_waits_for_a_client_that_opens_late) {
  auto t = fifo();
  std::string p = dir + "/late";
  LONGS_EQUAL(0, mkfifo(p.c_str(), 0600));
  to_fifo(std::string(":late:") + kVersionRequest);
  turn();
  LONGS_EQUAL(0, counters().replies);
  int reply = open(p.c_str(), O_RDONLY | O_NONBLOCK);
  while (counters().replies + counters().replies_dropped == 0) event_base_loop(base, EVLOOP_ONCE);
  STRCMP_EQUAL((std::string(kVersionAnswer) + "\n").c_str(), read_all(reply).c_str());
  close(reply);
}

TEST(Transport, fifo_reply_longer_than_the_pipe_is_written_as_the_client_reads) {
  auto t = fifo();
  std::string body(100000, 'b');
  RecordView r;
  r.pres_uri = "sip:a@b";
  r.body = body;
  world->pua.records.push_back(r);
  int reply = make_reply_fifo("r");
  to_fifo(R"(:r:{"jsonrpc":"2.0","method":"pua_show","params":["sip:a@b"],"id":1})");
  std::string text;
  for (int i = 0; i < 100 && counters().replies == 0; i++) {
    turn();
    text += read_all(reply);
  }
  text += read_all(reply);
  CHECK(text.size() > 100000);
  CHECK(text.ends_with("}\n"));
  close(reply);
}

TEST(Transport, fifo_client_that_leaves_in_the_middle_is_counted) {
  auto t = fifo();
  std::string body(100000, 'b');
  RecordView r;
  r.pres_uri = "sip:a@b";
  r.body = body;
  world->pua.records.push_back(r);
  int reply = make_reply_fifo("r");
  to_fifo(R"(:r:{"jsonrpc":"2.0","method":"pua_show","params":["sip:a@b"],"id":1})");
  turn();
  close(reply);
  for (int i = 0; i < 100 && counters().replies_dropped == 0; i++) turn();
  LONGS_EQUAL(1, counters().replies_dropped);
}

TEST(Transport, fifo_slow_clients_are_bounded) {
  auto t = fifo();
  for (int i = 0; i < 70; i++) {
    std::string name = "r" + std::to_string(i);
    LONGS_EQUAL(0, mkfifo((dir + "/" + name).c_str(), 0600));
    to_fifo(":" + name + ":" + kVersionRequest);
    turn();
  }
  LONGS_EQUAL(6, counters().replies_dropped);
  t.reset();
  LONGS_EQUAL(70, counters().replies_dropped);
}

TEST(Transport, fifo_completions_after_the_transport_is_gone_go_nowhere) {
  auto t = fifo();
  int reply = make_reply_fifo("r");
  to_fifo(std::string(":r:") + kPublish);
  turn();
  t.reset();
  world->pua.complete(200, "OK", "e", 60);
  STRCMP_EQUAL("", read_all(reply).c_str());
  close(reply);
}

TEST(Transport, fifo_has_its_rights_and_goes_away_at_the_end) {
  auto t = fifo(0622);
  struct stat st;
  LONGS_EQUAL(0, stat(fifo_path.c_str(), &st));
  LONGS_EQUAL(0622, st.st_mode & 07777);
  t.reset();
  CHECK(!std::filesystem::exists(fifo_path));
}

TEST(Transport, fifo_left_over_is_replaced_and_one_in_use_is_refused) {
  LONGS_EQUAL(0, mkfifo(fifo_path.c_str(), 0600));
  auto t = fifo();
  refused(FifoTransport::open(base, *dispatcher, fifo_path, 0600, dir), "in use");
  CHECK(t->still_there());
}

TEST(Transport, fifo_paths_that_cannot_be_are_refused) {
  std::ofstream(fifo_path) << "precious";
  refused(FifoTransport::open(base, *dispatcher, fifo_path, 0600, dir), "no FIFO");
  refused(FifoTransport::open(base, *dispatcher, dir + "/none/f", 0600, dir), "No such file");
  refused(FifoTransport::open(base, *dispatcher, dir + "/f", 0600, dir + "/none"), "fifo_reply_dir");
}

// --- both ----------------------------------------------------------------------------------------

TEST(Transport, control_opens_what_the_settings_name_and_makes_it_again_at_reload) {
  Settings settings;
  settings.dgram_socket = path;
  settings.fifo_name = fifo_path;
  settings.fifo_reply_dir = dir;
  auto control = Control::start(world->pua, world->events, settings, "puad 1.2.3", nullptr);
  CHECK(control.ok());
  std::filesystem::remove(path);
  std::filesystem::remove(fifo_path);
  settings.max_request = 100;
  (*control)->reload(settings);
  turn();
  Client c(path);
  CHECK(c.send(std::string(101, ' ')));
  turn();
  STRCMP_CONTAINS("longer than 100 octets, which is max_request\"", c.receive().c_str());
  CHECK(std::filesystem::is_fifo(fifo_path));
}

TEST(Transport, control_that_cannot_open_all_opens_nothing) {
  Settings settings;
  settings.dgram_socket = path;
  settings.fifo_name = dir + "/none/f";
  settings.fifo_reply_dir = dir;
  refused(Control::start(world->pua, world->events, settings, "puad 1.2.3", nullptr), "none/f");
  CHECK(!std::filesystem::exists(path));
}

TEST(Transport, a_client_with_the_longest_address_gets_its_answer) {
  auto t = dgram();
  sockaddr_un me{};
  me.sun_family = AF_UNIX;
  std::string long_path = dir + "/";
  long_path.resize(sizeof me.sun_path, 'x');  // 108 octets, no NUL: legal (unix(7))
  memcpy(me.sun_path, long_path.data(), long_path.size());
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  LONGS_EQUAL(0, bind(fd, reinterpret_cast<sockaddr*>(&me), sizeof me));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  memcpy(to.sun_path, path.data(), path.size());
  LONGS_EQUAL(strlen(kVersionRequest), sendto(fd, kVersionRequest, strlen(kVersionRequest), 0, reinterpret_cast<sockaddr*>(&to), sizeof to));
  turn();
  char answer[4096] = {};
  (void)!recv(fd, answer, sizeof answer - 1, 0);
  close(fd);
  unlink(long_path.c_str());
  STRCMP_EQUAL(kVersionAnswer, answer);
}

TEST(Transport, a_fifo_is_made_again_though_the_socket_cannot_be) {
  Settings settings;
  settings.dgram_socket = path;
  settings.fifo_name = fifo_path;
  settings.fifo_reply_dir = dir;
  auto control = Control::start(world->pua, world->events, settings, "puad 1.2.3", nullptr);
  CHECK(control.ok());
  std::filesystem::remove(path);
  std::ofstream(path) << "somebody's file";
  std::filesystem::remove(fifo_path);
  (*control)->reload(settings);
  turn();
  CHECK(std::filesystem::is_fifo(fifo_path));
}
