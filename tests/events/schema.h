// Validation against the published schemas, where they are: ../shared/xsd beside the checkout.
#pragma once

#include <string>

// Whether the schemas are there; if not, says once on standard output that these checks are skipped.
bool schemas_present();
// Empty: the document is valid; else what is wrong. Knows PIDF with data model and RPID, dialog-info, reginfo, watcherinfo.
std::string schema_error(const std::string& document);
