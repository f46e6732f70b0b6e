// What the log says of one record whose requests fail: once when that begins, once where they fail in another way, once when it is
// over; and what becomes of the record.
#include <algorithm>
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(FailureLog) {
  SubsRig rig;
  // Lines of the log with these words, since the last call.
  std::string said(const std::string& part) {
    std::string all;
    for (auto& [level, line] : rig.lines)
      if (line.find(part) != std::string::npos) all += (all.empty() ? "" : " | ") + std::string(log_level_name(level)) + ": " + line;
    rig.lines.clear();
    return all;
  }
  // An hour in which each request of the publication is answered so.
  void an_hour_of(int status) {
    for (int i = 0; i < 3600; i++) {
      if (rig.open()) rig.reject(status);
      rig.advance(kSecond);
    }
    if (rig.open()) rig.reject(status);
  }
  // The next try is answered 200.
  void accepted() {
    for (int i = 0; i < 400 && !rig.open(); i++) rig.advance(kSecond);
    rig.ok("e1");
  }
};

TEST(FailureLog, a_record_that_cannot_be_sent_for_an_hour_is_told_once_and_when_it_is_over) {
  rig.send_error = "a sips: URI goes by TLS only";
  rig.publish("b1", kForEver);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("warning: PUBLISH for sip:alice@example.com: it cannot be sent: a sips: URI goes by TLS only; kept and tried again",
             said("PUBLISH"));
  rig.send_error.clear();
  accepted();
  TEXT_EQUAL("notice: 200 to PUBLISH for sip:alice@example.com: accepted again", said("PUBLISH"));
  rig.refresh();
  rig.ok("e2");
  TEXT_EQUAL("", said("PUBLISH"));
}

TEST(FailureLog, so_is_one_that_a_server_refuses_for_now_and_another_status_is_told_too) {
  rig.publish("b1", kForEver);
  an_hour_of(480);
  TEXT_EQUAL("notice: 480 to PUBLISH for sip:alice@example.com: kept and tried again", said("PUBLISH"));
  an_hour_of(403);
  TEXT_EQUAL("error: 403 to PUBLISH for sip:alice@example.com: kept and tried again; is the server complete?", said("PUBLISH"));
  an_hour_of(401);
  TEXT_EQUAL("error: 401 to PUBLISH for sip:alice@example.com: credentials are missing or wrong", said("PUBLISH"));
  accepted();
  TEXT_EQUAL("notice: 200 to PUBLISH for sip:alice@example.com: accepted again", said("PUBLISH"));
}

TEST(FailureLog, so_is_one_that_is_granted_nothing_or_asked_for_too_much) {
  rig.publish("b1", kForEver);
  for (int i = 0; i < 5; i++) {
    rig.ok("e0", 0);
    for (int s = 0; s < 60 && !rig.open(); s++) rig.advance(kSecond);
  }
  TEXT_EQUAL("warning: 200 to PUBLISH for sip:alice@example.com: it grants nothing (Expires: 0); kept and tried again", said("PUBLISH"));
  for (int i = 0; i < 5; i++) {
    rig.answer({.status = 423, .min_expires = 1000000});
    for (int s = 0; s < 400 && !rig.open(); s++) rig.advance(kSecond);
  }
  TEXT_EQUAL("warning: 423 to PUBLISH for sip:alice@example.com: the server wants a longer lifetime than max_expires allows; kept and "
             "tried again",
             said("PUBLISH"));
}

// What the gate held back is not told at its end.
TEST(FailureLog, the_end_is_told_of_records_whose_beginning_was) {
  auto uri = [](int i) { return "sip:u" + std::to_string(i) + "@example.com"; };
  for (int i = 0; i < 5; i++) rig.Rig::ask({.uri = uri(i), .expires = kForEver, .body = "b"});
  rig.settle();
  for (int i = 0; i < 5; i++) rig.answer(rig.sent[static_cast<size_t>(i)], {.status = 480});   // three lines a minute
  LONGS_EQUAL(3, std::count_if(rig.lines.begin(), rig.lines.end(), [](auto& l) { return l.second.find("480 to") == 0; }));
  rig.lines.clear();
  rig.advance(3 * kSecond);
  LONGS_EQUAL(5, rig.open());
  for (size_t i = 5; i < 10; i++) rig.answer(rig.sent[i], {.etag = "e" + std::to_string(i), .expires = 600});
  LONGS_EQUAL(3, std::count_if(rig.lines.begin(), rig.lines.end(), [](auto& l) { return l.second.find("accepted again") != std::string::npos; }));
}

TEST(FailureLog, one_that_ends_by_it_is_not_said_to_be_kept) {
  rig.send_error = "no address";
  rig.unsubscribe();   // nothing is subscribed: the state is asked for once
  TEXT_EQUAL("warning: SUBSCRIBE for sip:alice@example.com: it cannot be sent: no address; the subscription ends", said("SUBSCRIBE"));
  rig.send_error.clear();
  for (int status : {403, 480}) {
    rig.unsubscribe();
    TEXT_EQUAL("fetch", rig.last().kind());
    rig.reject(status);
    TEXT_EQUAL((status == 403 ? "error: 403 to SUBSCRIBE for sip:alice@example.com: the subscription ends; is the server complete?"
                              : "notice: 480 to SUBSCRIBE for sip:alice@example.com: the subscription ends"),
               said("SUBSCRIBE"));
  }
  rig.subscribe();
  rig.notify({.state = "terminated", .reason = "rejected"});
  said("");
  rig.reject(480);
  TEXT_EQUAL("notice: 480 to SUBSCRIBE for sip:alice@example.com: the subscription ends", said("SUBSCRIBE"));
}

TEST(FailureLog, one_whose_removal_waits_ends_and_one_that_a_notify_has_made_goes_on) {
  rig.Rig::live("e1");
  rig.refresh();
  rig.remove();
  said("");
  rig.reject(480);
  TEXT_EQUAL("notice: 480 to PUBLISH for sip:alice@example.com: the record ends", said("PUBLISH"));
  rig.ok("", 0);
  rig.subscribe({.uri = "sip:carol@example.com"});
  rig.notify();
  said("");
  rig.reject(403);
  TEXT_EQUAL("error: 403 to SUBSCRIBE for sip:carol@example.com: the subscription goes on; is the server complete?", said("SUBSCRIBE"));
}

// A record that was refused for good is another one when it comes back.
TEST(FailureLog, each_end_is_told) {
  for (int i = 0; i < 2; i++) {
    rig.publish("b1");
    rig.reject(415);
    TEXT_EQUAL("warning: 415 to PUBLISH for sip:alice@example.com: the record ends", said("PUBLISH"));
  }
}

// The log is the host's code and may call anything. The line is about a record that has just ended, and whose step is not over.
TEST(FailureLog, a_call_out_of_the_callback_frees_no_record_amid_its_step) {
  rig.send_error = "no address";
  size_t there = 0;
  rig.when_logged = [&](const std::string& line) {
    if (there || line.find("cannot be sent") == std::string::npos) return;
    rig.ask({.uri = "sip:carol@example.com"});
    there = static_cast<size_t>(rig.stats().subscriptions);
  };
  rig.unsubscribe();
  LONGS_EQUAL(2, there);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.stats().subscriptions);
  rig.when_logged = nullptr;
}

// A server that raises its bound each time, and one that names none.
TEST(FailureLog, a_lifetime_that_is_too_brief_again_is_told_once) {
  rig.publish("b1", kForEver);
  rig.answer({.status = 423, .min_expires = 4000});
  TEXT_EQUAL("", said("PUBLISH"));                   // that is asked for at once
  rig.answer({.status = 423, .min_expires = 5000});
  TEXT_EQUAL("warning: 423 to PUBLISH for sip:alice@example.com: the server wants a longer lifetime again, though it got what it asked for; "
             "kept and tried again",
             said("PUBLISH"));
}

TEST(FailureLog, a_removal_asks_for_no_lifetime) {
  rig.Rig::live();
  rig.remove();
  rig.answer({.status = 423, .min_expires = 60});
  TEXT_EQUAL("notice: 423 to PUBLISH for sip:alice@example.com: kept and tried again", said("PUBLISH"));
  LONGS_EQUAL(1, rig.stats().replies_423);
}

TEST(FailureLog, a_412_to_full_state_is_told) {
  rig.publish("b1", kForEver);
  an_hour_of(412);
  TEXT_EQUAL("notice: 412 to PUBLISH for sip:alice@example.com: kept and tried again", said("PUBLISH"));
}

TEST(FailureLog, where_another_request_waits_the_record_goes_on) {
  rig.Rig::live();
  rig.publish("b2");
  rig.publish("b3");
  rig.reject(415);
  TEXT_EQUAL("warning: 415 to PUBLISH for sip:alice@example.com: the record goes on", said("PUBLISH"));
  rig.ok("e3");
  TEXT_EQUAL("live", rig.Rig::state());
}
