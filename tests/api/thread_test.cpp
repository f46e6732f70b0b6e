// Threads and processes: pua_post from anywhere, everything else in the instance's thread only.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

struct Posts {
  std::vector<int> order;
  std::thread::id where;
  int code = 1;
};

struct Post {
  Posts* to;
  int number;
  static void run(pua_t* pua, void* arg) {
    Post* self = static_cast<Post*>(arg);
    self->to->order.push_back(self->number);
    self->to->where = std::this_thread::get_id();
    self->to->code = pua_log_level(pua, -1);
  }
};

}  // namespace

TEST_GROUP(ApiThread) {
  Posts posts;
  Rig rig;
  void setup() override { LONGS_EQUAL(PUA_OK, rig.start()); }
};

TEST(ApiThread, posts_from_another_thread_run_here_in_order_and_once) {
  std::vector<Post> all;
  for (int i = 0; i < 1000; i++) all.push_back({&posts, i});
  std::atomic<int> refused{0};
  std::thread t([&] {
    for (Post& p : all) refused += pua_post(rig.pua, Post::run, &p) != PUA_OK;
  });
  CHECK(rig.until([&] { return posts.order.size() == all.size(); }));
  t.join();
  rig.settle();
  LONGS_EQUAL(0, refused.load());
  LONGS_EQUAL(1000, posts.order.size());
  for (int i = 0; i < 1000; i++) LONGS_EQUAL(i, posts.order[static_cast<size_t>(i)]);
  CHECK(posts.where == std::this_thread::get_id());
  LONGS_EQUAL(PUA_LOG_NOTICE, posts.code);
}

TEST(ApiThread, posts_still_queued_at_the_end_run_then) {
  Post p{&posts, 7};
  LONGS_EQUAL(PUA_OK, pua_post(rig.pua, Post::run, &p));
  LONGS_EQUAL(0, posts.order.size());
  rig.stop();
  LONGS_EQUAL(1, posts.order.size());
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, posts.code);
}

TEST(ApiThread, a_posted_function_may_free_the_instance_and_the_rest_still_runs) {
  struct Here {
    static void free_it(pua_t*, void* arg) { static_cast<Rig*>(arg)->stop(); }
  };
  Post after{&posts, 9};
  LONGS_EQUAL(PUA_OK, pua_post(rig.pua, Here::free_it, &rig));
  LONGS_EQUAL(PUA_OK, pua_post(rig.pua, Post::run, &after));
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  LONGS_EQUAL(1, posts.order.size());
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, posts.code);
}

TEST(ApiThread, post_names_what_is_missing) {
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_post(rig.pua, nullptr, nullptr));
  STRCMP_EQUAL("fn is NULL", rig.error().c_str());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_post(nullptr, Post::run, nullptr));
  STRCMP_EQUAL("pua is NULL", pua_last_error(nullptr));
}

TEST(ApiThread, the_message_of_a_post_from_another_thread_stays_there) {
  std::string theirs;
  std::thread t([&] {
    pua_post(rig.pua, nullptr, nullptr);
    theirs = pua_last_error(nullptr);
  });
  t.join();
  STRCMP_EQUAL("fn is NULL", theirs.c_str());
  STRCMP_EQUAL("", rig.error().c_str());
}

TEST(ApiThread, every_other_call_is_refused_in_another_thread) {
  std::vector<int> codes;
  std::string message, mine;
  std::thread t([&] {
    publ_info_t p{};
    subs_info_t s{};
    ua_pres_t d{};
    pua_str_t* id = nullptr;
    pua_str_t did{};
    codes = {pua_send_publish(rig.pua, &p), pua_register_puacb(rig.pua, 1, [](ua_pres_t*, pua_reply_t*) { return 0; }, nullptr),
             pua_add_event(rig.pua, 1 << 20, "x", nullptr, nullptr), pua_send_subscribe(rig.pua, &s),
             pua_is_dialog(rig.pua, &d), pua_get_record_id(rig.pua, &d, &id), pua_notify_received(rig.pua, "x", 1),
             pua_run(rig.pua), pua_stop(rig.pua), pua_flush(rig.pua, nullptr, nullptr),
             pua_shutdown(rig.pua, nullptr, nullptr), pua_log_level(rig.pua, -1), pua_stats_get(rig.pua, nullptr, 0),
             pua_set_default(rig.pua)};
    message = pua_last_error(rig.pua);
    CHECK_EQUAL(nullptr, pua_event_base(rig.pua));
    CHECK_EQUAL(nullptr, pua_get_subs_list(rig.pua, &did));
    LONGS_EQUAL(-1, pua_update_contact(rig.pua, "x", 1));
    pua_free(rig.pua);  // does nothing
  });
  t.join();
  for (int code : codes) LONGS_EQUAL(PUA_E_WRONG_THREAD, code);
  CHECK_TEXT(message.find("thread") != std::string::npos, message.c_str());
  STRCMP_EQUAL("", rig.error().c_str());
  LONGS_EQUAL(PUA_LOG_NOTICE, pua_log_level(rig.pua, -1));
}

TEST(ApiThread, a_forked_child_is_told_and_does_no_harm) {
  pid_t child = fork();
  if (child == 0) {
    publ_info_t p{};
    bool ok = pua_send_publish(rig.pua, &p) == PUA_E_AFTER_FORK &&
              pua_post(rig.pua, [](pua_t*, void*) {}, nullptr) == PUA_E_AFTER_FORK &&
              pua_log_level(rig.pua, -1) == PUA_E_AFTER_FORK;
    pua_free(rig.pua);
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  CHECK_EQUAL(child, waitpid(child, &status, 0));
  LONGS_EQUAL(0, status);
  Recorder got;
  LONGS_EQUAL(PUA_OK, rig.publish("sip:alice@example.com", kDocument, 600, &got));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
}
