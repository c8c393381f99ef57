// SPDX-License-Identifier: Apache-2.0
// The canonical text of a Config with every default filled in: for /config, for `weir check
// --dump`, and for tests. YAML loads again to an equal Config unless secrets are redacted.
#pragma once

#include <weir/config.h>

#include <string>

#include "config/emitter.h"

namespace weir::config {

enum class DumpFormat : std::uint8_t { kYaml, kJson };

// Redacted: header values whose names tell of credentials become "[hidden]".
std::string dump(const Config& config, DumpFormat format, Secrets secrets = Secrets::kRedact);

}  // namespace weir::config
