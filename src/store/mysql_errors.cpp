#include "store/mysql_errors.h"

namespace pua {

DbFault fault_of(unsigned code) {
  if (code == 0) return DbFault::None;
  if ((code >= 2000 && code < 3000) || (code >= 5000 && code < 6000)) return DbFault::Lost;  // the client library's own
  switch (code) {
    case 1927:  // connection was killed
    case 4031:  // closed after its idle time
      return DbFault::Lost;
    case 1040:  // too many connections
    case 1044: case 1045: case 1698:  // access denied
    case 1047:  // Galera: not part of the primary component
    case 1049:  // unknown database
    case 1053:  // shutting down
    case 1129: case 1130:  // host blocked, host not allowed
    case 1203: case 1226:  // connections of this user
    case 1290: case 1792: case 1836:  // read-only
      return DbFault::HostUnfit;
    case 1205:  // lock wait timeout
    case 1213:  // deadlock; Galera: lost against another node's write
    case 1317:  // query interrupted
    case 1614:  // transaction branch was rolled back: deadlock
      return DbFault::Collision;
    case 1146: case 1932:  // no such table, not known to its engine
    case 1814:  // its rows were taken away (DISCARD TABLESPACE)
      return DbFault::TableLost;
    case 1021: case 1114: case 1878:  // disk or table full
    case 1015: case 1016: case 1017: case 1026: case 1030: case 1034: case 1035: case 1036:  // engine trouble
    case 1194: case 1195:                                                                    // likewise
    case 1037: case 1038: case 1041: case 1206:  // out of memory or locks
    case 1054: case 1142: case 1143: case 1227:  // table of another shape, no right
    case 1180: case 1181: case 1196: case 1969:  // commit failed, statement ran too long
      return DbFault::Down;
    default: return DbFault::Row;
  }
}

}  // namespace pua
