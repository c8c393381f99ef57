// SPDX-License-Identifier: Apache-2.0
// Makes certificates for tests, in memory and on disk: an authority, its leaves, and those that
// must not pass. Linked by tests alone (target weir_test_mint).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

struct Leaf {
  std::string cn = "leaf";
  std::vector<std::string> names{};  ///< "DNS:a.example", "IP:127.0.0.1", "URI:spiffe://x/y".
  bool rsa = false;
  bool for_client = false;
  std::chrono::seconds from{-3600};  ///< From now.
  std::chrono::seconds to{90 * 24 * 3600};
};

struct Minted {
  std::string cert;  ///< PEM.
  std::string key;   ///< PEM.
};

class Authority {
 public:
  explicit Authority(const std::string& cn);
  ~Authority();
  const std::string& pem() const { return pem_; }
  Minted issue(const Leaf& leaf) const;

 private:
  struct Own;
  std::unique_ptr<Own> own_;
  std::string pem_;
};

/// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  const std::string& path() const { return path_; }
  /// Its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace weir::test
