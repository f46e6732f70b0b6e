// NOTIFYs on their way to the handlers: copied once, in order, in memory that is used again.
#include <string>
#include <vector>

#include "core/notifications.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Notifications) {
  Notifications queue;

  // What is copied is overwritten at once.
  void push(const std::string& uri, const std::string& document, const std::string& last_document = {}) {
    std::string texts[] = {uri, document, last_document, "active", "why", "t/x"};
    RecordView v;
    v.pres_uri = texts[0];
    v.notify_body = texts[2];
    v.source = 4;
    NotifyRequest n;
    n.body = texts[1];
    n.state = texts[3];
    n.reason = texts[4];
    n.content_type = texts[5];
    n.expires = 60;
    n.retry_after = 7;
    queue.push(v, n, true, BadDocument::Malformed);
    for (std::string& t : texts) t.assign(t.size(), '#');
  }
};

TEST(Notifications, a_handler_is_shown_what_the_notify_said) {
  push("sip:a@b", "document", "the last one");
  auto n = queue.pop();
  NotifyView v = n->view();
  TEXT_EQUAL("sip:a@b", v.record.pres_uri);
  LONGS_EQUAL(4, v.record.source);
  TEXT_EQUAL("active", v.state);
  TEXT_EQUAL("why", v.reason);
  TEXT_EQUAL("t/x", v.content_type);
  TEXT_EQUAL("document", v.body);
  TEXT_EQUAL("the last one", v.record.notify_body);
  LONGS_EQUAL(60, v.expires);
  LONGS_EQUAL(7, v.retry_after);
  CHECK(v.gap);
}

TEST(Notifications, a_document_is_there_once) {
  push("sip:a@b", "document", "document");
  auto n = queue.pop();
  TEXT_EQUAL("document", n->view().body);
  POINTERS_EQUAL(n->view().body.data(), n->view().record.notify_body.data());
  UNSIGNED_LONGS_EQUAL(8, n->view().record.notify_body.size());
  push("sip:a@b", "", "kept from before");
  n = queue.pop();
  TEXT_EQUAL("", n->view().body);
  TEXT_EQUAL("kept from before", n->view().record.notify_body);
}

TEST(Notifications, they_leave_in_the_order_they_came) {
  for (const char* uri : {"sip:1@b", "sip:2@b", "sip:3@b"}) push(uri, "x");
  for (const char* uri : {"sip:1@b", "sip:2@b", "sip:3@b"}) {
    auto n = queue.pop();
    TEXT_EQUAL(uri, n->view().record.pres_uri);
    queue.done(std::move(n));
  }
  CHECK(queue.empty());
}

TEST(Notifications, memory_is_used_again_and_what_is_kept_for_that_is_bounded) {
  push("sip:a@b", "document");
  auto n = queue.pop();
  const Notification* first = n.get();
  queue.done(std::move(n));
  push("sip:c@d", "another");
  n = queue.pop();
  POINTERS_EQUAL(first, n.get());
  TEXT_EQUAL("another", n->view().body);
  TEXT_EQUAL("sip:c@d", n->view().record.pres_uri);
  UNSIGNED_LONGS_EQUAL(0, queue.spare());

  push("sip:a@b", std::string(Notifications::kSpareRoom, 'x'));  // with its other texts longer than what is kept
  queue.done(queue.pop());
  UNSIGNED_LONGS_EQUAL(0, queue.spare());
  for (size_t i = 0; i < Notifications::kSpare + 10; i++) push("sip:a@b", "x");
  while (!queue.empty()) queue.done(queue.pop());
  UNSIGNED_LONGS_EQUAL(Notifications::kSpare, queue.spare());
}

TEST(Notifications, there_are_no_more_than_10000) {
  for (size_t i = 0; i < Notifications::kMax; i++) {
    CHECK_FALSE(queue.full());
    push("sip:a@b", "x");
  }
  CHECK(queue.full());
  queue.done(queue.pop());
  CHECK_FALSE(queue.full());
}
