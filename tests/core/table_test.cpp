// Record table: finding, growing without moving a record, walking while it grows.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/table.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Table) {
  Table<PublicationRecord> table{1, {1, 2}};
  std::vector<PublicationRecord*> all;

  PublicationRecord& add(const std::string& uri, const std::string& id = "", int32_t source = 64, int32_t event = 1) {
    auto r = std::make_unique<PublicationRecord>();
    std::array<std::string_view, PublicationRecord::kFields> text{};
    text[PublicationRecord::kPresUri] = uri;
    text[PublicationRecord::kId] = id;
    r->text.assign(text);
    r->source = source;
    r->event = event;
    r->hash = table.hash_of(r->key());
    r->id = static_cast<int64_t>(all.size());
    all.push_back(&table.insert(std::move(r)));
    return *all.back();
  }
  PublicationRecord* find(const std::string& uri, const std::string& id = "", int32_t source = 64, int32_t event = 1) {
    PublicationKey k{source, event, uri, id};
    return table.find(k, table.hash_of(k));
  }
  static std::string uri(int i) { return "sip:u" + std::to_string(i) + "@example.com"; }
};

TEST(Table, each_part_of_the_key_counts) {
  PublicationRecord& r = add("sip:a", "x", 64, 1);
  POINTERS_EQUAL(&r, find("sip:a", "x", 64, 1));
  POINTERS_EQUAL(nullptr, find("sip:b", "x", 64, 1));
  POINTERS_EQUAL(nullptr, find("sip:a", "y", 64, 1));
  POINTERS_EQUAL(nullptr, find("sip:a", "", 64, 1));
  POINTERS_EQUAL(nullptr, find("sip:a", "x", 1, 1));
  POINTERS_EQUAL(nullptr, find("sip:a", "x", 64, 2));
  POINTERS_EQUAL(nullptr, find("sip:ax", "", 64, 1));  // the same octets, divided otherwise, are another key
}

TEST(Table, records_never_move_while_it_grows) {
  std::map<std::string, PublicationRecord*> where;
  for (int i = 0; i < 20000; i++) {
    where[uri(i)] = &add(uri(i));
    if (i % 97 == 0) POINTERS_EQUAL(where[uri(i / 2)], find(uri(i / 2)));
  }
  for (auto& [u, r] : where) POINTERS_EQUAL(r, find(u));
  LONGS_EQUAL(20000, table.size());
}

TEST(Table, a_removed_record_is_handed_back_and_gone) {
  for (int i = 0; i < 3000; i++) add(uri(i));
  for (int i = 0; i < 3000; i += 2) {
    std::unique_ptr<PublicationRecord> r = table.remove(*all[static_cast<size_t>(i)]);
    POINTERS_EQUAL(all[static_cast<size_t>(i)], r.get());
  }
  LONGS_EQUAL(1500, table.size());
  for (int i = 0; i < 3000; i++) CHECK_EQUAL(i % 2 == 1, find(uri(i)) != nullptr);
}

TEST(Table, a_walk_sees_each_record_exactly_once_in_steps_of_any_size) {
  for (int i = 0; i < 5000; i++) add(uri(i));
  for (uint32_t limit : {1u, 7u, 100u, 100000u}) {
    std::map<PublicationRecord*, int> seen;
    uint64_t cursor = 0;
    do cursor = table.walk(cursor, limit, [&](PublicationRecord& r) { seen[&r]++; });
    while (cursor);
    LONGS_EQUAL(5000, seen.size());
    for (auto& [r, n] : seen) LONGS_EQUAL(1, n);
  }
}

TEST(Table, a_walk_under_growth_sees_each_old_record_exactly_once) {
  for (int i = 0; i < 1000; i++) add(uri(i));
  std::map<PublicationRecord*, int> seen;
  uint64_t cursor = 0;
  int next = 1000;
  do {
    cursor = table.walk(cursor, 10, [&](PublicationRecord& r) { seen[&r]++; });
    for (int i = 0; i < 40; i++) add(uri(next++));
  } while (cursor);
  CHECK(next > 4000);  // the table doubled meanwhile
  for (size_t i = 0; i < 1000; i++) LONGS_EQUAL(1, seen[all[i]]);
  for (auto& [r, n] : seen) LONGS_EQUAL(1, n);
}

TEST(Table, a_walk_under_removal_sees_each_that_stays_exactly_once) {
  for (int i = 0; i < 2000; i++) add(uri(i));
  std::map<int64_t, int> seen;
  std::set<int64_t> removed;
  Random random(3);
  uint64_t cursor = 0;
  do {
    cursor = table.walk(cursor, 10, [&](PublicationRecord& r) { seen[r.id]++; });
    for (int i = 0; i < 5; i++) {
      size_t n = random.below(2000);
      if (all[n] && removed.insert(static_cast<int64_t>(n)).second) table.remove(*all[n]), all[n] = nullptr;
    }
  } while (cursor);
  for (int64_t i = 0; i < 2000; i++) {
    CHECK(seen[i] <= 1);
    if (!removed.count(i)) LONGS_EQUAL(1, seen[i]);
  }
}

TEST(Table, a_walk_over_an_empty_or_sparse_table_ends_in_bounded_steps) {
  Table<PublicationRecord> sparse(16, {3, 4});
  int calls = 0;
  uint64_t cursor = 0;
  do cursor = sparse.walk(cursor, 1, [](PublicationRecord&) {}), calls++;
  while (cursor);
  CHECK(calls > 100);  // 65,536 empty buckets are not passed in one call
  CHECK(calls < 5000);
}

TEST(Table, all_records_of_one_uri_are_found_together_also_under_growth) {
  std::set<PublicationRecord*> mine;
  for (int i = 0; i < 3000; i++) {
    add(uri(i));
    if (i % 100 == 0) mine.insert(&add("sip:alice@example.com", "id" + std::to_string(i), 64, 1 << (i % 3)));
    if (i % 250 == 0) {
      std::multiset<PublicationRecord*> found;
      table.of_uri("sip:alice@example.com", [&](PublicationRecord& r) { found.insert(&r); });
      LONGS_EQUAL(mine.size(), found.size());
      CHECK(std::equal(mine.begin(), mine.end(), found.begin()));
    }
  }
  int none = 0;
  table.of_uri("sip:nobody@example.com", [&](PublicationRecord&) { none++; });
  LONGS_EQUAL(0, none);
}

TEST(Table, the_hash_depends_on_the_key_of_the_instance) {
  Table<PublicationRecord> other(1, {1, 3});
  int same = 0;
  for (int i = 0; i < 100; i++) {
    std::string u = uri(i);
    PublicationKey k{64, 1, u, {}};
    same += table.hash_of(k) == other.hash_of(k);
  }
  CHECK(same <= 1);
}

TEST(Table, the_hash_spreads) {
  std::map<uint32_t, int> top;
  for (int i = 0; i < 25600; i++) {
    std::string u = uri(i);
    top[table.hash_of({64, 1, u, {}}) >> 24]++;
  }
  LONGS_EQUAL(256, top.size());
  for (auto& [k, n] : top) CHECK(n > 40 && n < 200);  // 100 on the average
}

TEST(Table, it_agrees_with_a_simple_map_over_random_operations) {
  Random random(9);
  std::map<std::string, PublicationRecord*> model;
  for (int i = 0; i < 30000; i++) {
    std::string u = uri(static_cast<int>(random.below(2000)));
    auto it = model.find(u);
    POINTERS_EQUAL(it == model.end() ? nullptr : it->second, find(u));
    if (it == model.end()) {
      model[u] = &add(u);
    } else if (random.below(2)) {
      table.remove(*it->second);
      model.erase(it);
    }
    LONGS_EQUAL(model.size(), table.size());
  }
}
