// Snapshots: all texts of a record are copied into one block, which is used again.
#include <string>

#include "core/snapshot.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Snapshot) {
  // Each text is its own, and longer than the one before it.
  std::string text_of(size_t i, const std::string& word) { return word + std::to_string(i) + std::string(i, '.'); }

  // Takes a snapshot of a record whose texts are freed when this function ends.
  void take(Snapshot& s, const std::string& word) {
    std::string texts[std::size(Snapshot::kTexts)];
    RecordView v;
    v.id = 7;
    for (size_t i = 0; i < std::size(texts); i++) {
      texts[i] = text_of(i, word);
      v.*Snapshot::kTexts[i] = texts[i];
    }
    s.take(v);
    for (std::string& t : texts) t.assign(t.size(), '#');
  }
  void shows(const Snapshot& s, const std::string& word) {
    LONGS_EQUAL(7, s.view.id);
    for (size_t i = 0; i < std::size(Snapshot::kTexts); i++) TEXT_EQUAL(text_of(i, word), s.view.*Snapshot::kTexts[i]);
  }
};

TEST(Snapshot, every_text_of_a_view_is_copied) {
  Snapshot s;
  take(s, "a");
  shows(s, "a");
}

TEST(Snapshot, a_moved_one_shows_the_same) {
  Snapshot s;
  take(s, "a");
  Snapshot moved = std::move(s);
  shows(moved, "a");
}

TEST(Snapshot, its_block_is_used_again_and_grows_where_it_must) {
  Snapshot s;
  take(s, "longer");
  size_t room = s.room();
  const char* block = s.view.event_name.data();
  take(s, "short");
  shows(s, "short");
  POINTERS_EQUAL(block, s.view.event_name.data());
  UNSIGNED_LONGS_EQUAL(room, s.room());
  take(s, "the longest");
  shows(s, "the longest");
  CHECK(s.room() > room);
}

TEST(Snapshot, further_texts_stand_in_the_same_block) {
  std::string body = "document", empty;
  std::string_view one = body, two = empty;
  RecordView v;
  v.pres_uri = "sip:a@b";
  Snapshot s;
  s.take(v, {&one, &two});
  body = "########";
  TEXT_EQUAL("document", one);
  TEXT_EQUAL("", two);
  POINTERS_EQUAL(nullptr, two.data());
  POINTERS_EQUAL(s.view.pres_uri.data() + 7, one.data());
  UNSIGNED_LONGS_EQUAL(15, s.room());
}
