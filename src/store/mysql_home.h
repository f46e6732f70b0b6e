// Where the connections of a store live: the loop, and who is told that one of their callbacks runs.
#pragma once

#include <functional>

#include "store/store_loop.h"

namespace pua {

class MysqlHome {
 public:
  explicit MysqlHome(StoreLoop loop) : loop_(std::move(loop)), base_(loop_.base) {}
  MysqlHome(const MysqlHome&) = delete;
  MysqlHome& operator=(const MysqlHome&) = delete;

  event_base* base() const { return base_; }
  MonoMs now() const { return loop_.now(); }
  // For a while on another base than the loop's (nullptr: back), see MysqlStore::pump. No resolution is under way then.
  void move(event_base* base) { base_ = base ? base : loop_.base; }
  void turn(const std::function<void()>& callback);

 private:
  StoreLoop loop_;
  event_base* base_;
};

}  // namespace pua
