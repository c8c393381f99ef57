// SPDX-License-Identifier: Apache-2.0
// Files that a configuration is read from: where they are, and no more of them than a configuration
// may have.
#pragma once

#include <expected>
#include <string>

namespace weir::config {

// Follows links and reads pipes; the error is a sentence. At most one byte more than
// DocumentLimits::max_bytes is read, so that the parser can say that it is too large.
std::expected<std::string, std::string> read_whole_file(const std::string& path);

// Where a path that stands in `main_file` leads: a relative one starts at that file's folder.
// Config keeps paths as they were written, so who opens one asks here with Config::files[0].
std::string beside(const std::string& main_file, const std::string& path);

}  // namespace weir::config
