// A row that owns its strings.
#pragma once

#include <string>

#include "core/store_port.h"

namespace pua {

class StoredRow {
 public:
  explicit StoredRow(const Row& r) : row_(r) { adopt(); }
  StoredRow(const StoredRow& o) : row_(o.row_) { adopt(); }
  StoredRow& operator=(const StoredRow& o);
  const Row& row() const { return row_; }

 private:
  void adopt();  // copies what row_'s views point at, and points them at the copy
  Row row_;
  std::string text_;
};

}  // namespace pua
