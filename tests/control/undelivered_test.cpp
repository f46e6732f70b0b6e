// Replies that nobody takes: which, and why, stands in the log, a few lines a minute.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tests/control/transport_rig.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(Undelivered, TransportRig){};

TEST(Undelivered, dgram_replies_that_nobody_can_take_are_logged_with_the_reason) {
  auto t = dgram();
  {
    Client c(path);
    CHECK(c.send(kVersionRequest));
  }
  turn();
  STRCMP_CONTAINS("notice: control: a reply to @", log().c_str());
  STRCMP_CONTAINS("was not delivered: the client has gone", log().c_str());
  log_text.clear();
  std::string own = dir + "/opensips_mi_reply_1";
  {
    Client c(path, own);
    CHECK(c.send(kVersionRequest));
    std::filesystem::rename(own, own + "x");   // as in a folder that we do not see
  }
  turn();
  STRCMP_EQUAL(("warning: control: a reply to " + own + " was not delivered: there is no such file: the client has gone, or puad sees another "
                "folder than the client does (PrivateTmp of the service)\n").c_str(), log().c_str());
  log_text.clear();
  Client c(path, false);
  CHECK(c.send(kVersionRequest));
  turn();
  STRCMP_CONTAINS("a client must bind(2) its socket", log().c_str());
}

TEST(Undelivered, dgram_lost_replies_fill_no_disk) {
  auto t = dgram();
  for (int i = 0; i < 50; i++) {
    {
      Client c(path);
      CHECK(c.send(kVersionRequest));
    }
    turn();
  }
  LONGS_EQUAL(50, counters().replies_dropped);
  LONGS_EQUAL(3, std::count(log_text.begin(), log_text.end(), '\n'));
}

TEST(Undelivered, dgram_a_client_that_does_not_read_is_named) {
  auto t = dgram();
  Client c(path, dir + "/lazy");
  std::string help = R"({"jsonrpc":"2.0","method":"help","id":1})";
  for (int i = 0; i < 2000 && counters().replies_dropped == 0; i++) {
    c.send(help);
    turn();
  }
  STRCMP_EQUAL(("warning: control: a reply to " + dir + "/lazy was not delivered: the client does not read\n").c_str(), log().c_str());
}

TEST(Undelivered, fifo_replies_that_nobody_can_take_are_logged_with_the_reason) {
  std::ofstream(dir + "/file") << "precious";
  make_reply_fifo("real");
  std::filesystem::create_symlink(dir + "/real", dir + "/link");
  std::filesystem::create_hard_link(dir + "/real", dir + "/hard");
  for (auto [name, why] : {std::pair{"file", "it is no FIFO"}, {"link", "it is a symbolic link"}, {"hard", "it has other links"},
                           {"none", "there is no such file: the client has gone, or puad sees another folder than the client does "
                                    "(PrivateTmp of the service)"}, {"../x", "that is no plain file name"}}) {
    auto t = fifo();
    log_text.clear();
    to_fifo(std::string(":") + name + ":" + kVersionRequest + "\n");
    turn();
    STRCMP_EQUAL(("warning: control: a reply to the FIFO " + dir + "/" + name + " was not delivered: " + why + "\n").c_str(), log().c_str());
  }
}

TEST(Undelivered, fifo_reply_that_nobody_opens_is_logged) {
  auto t = fifo();
  LONGS_EQUAL(0, mkfifo((dir + "/deserted").c_str(), 0600));
  to_fifo(std::string(":deserted:") + kVersionRequest);
  turn();
  while (counters().replies_dropped == 0) event_base_loop(base, EVLOOP_ONCE);
  STRCMP_CONTAINS("nobody opened it for reading within a second", log().c_str());
}
