// What an error number of MariaDB or of its client library means for us.
#pragma once

namespace pua {

enum class DbFault : unsigned char {
  None,
  Lost,        // the connection broke: another one may work at once
  HostUnfit,   // this server cannot serve now (not primary, read-only, full of connections, refuses us): another may
  Collision,   // deadlock, lock wait: the same statement again
  TableLost,   // the table is not there
  Down,        // nothing can be written or read now, whatever the row
  Row,         // everything else: what was sent is at fault, or nobody knows
};

DbFault fault_of(unsigned code);

}  // namespace pua
