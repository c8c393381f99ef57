// SPDX-License-Identifier: Apache-2.0
// A name server on loopback that answers from a table which a test changes as it goes. UDP, a
// thread of its own, a port from the kernel. Thread: any.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir::test {

class FakeDns {
 public:
  struct Zone {
    std::vector<std::string> addresses;  ///< IPv4 and IPv6 texts.
    std::uint32_t ttl = 60;
    std::uint8_t rcode = 0;  ///< 2 SERVFAIL, 3 NXDOMAIN.
    bool silent = false;     ///< Takes the question and says nothing.
  };

  FakeDns() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t length = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    const timeval look_up_often{0, 20'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &look_up_often, sizeof look_up_often);
    thread_ = std::thread([this] { serve(); });
  }
  FakeDns(const FakeDns&) = delete;
  FakeDns& operator=(const FakeDns&) = delete;
  ~FakeDns() {
    stopping_ = true;
    thread_.join();
    ::close(fd_);
  }

  /// As ResolverOptions::servers takes it.
  std::string servers() const { return "127.0.0.1:" + std::to_string(port_); }
  void set(const std::string& name, Zone zone) {
    std::lock_guard lock(mutex_);
    zones_[name] = std::move(zone);
  }
  /// Questions for A records so far.
  int questions() const { return questions_; }

 private:
  static constexpr std::size_t kHeader = 12;

  void serve() {
    unsigned char packet[512];
    while (!stopping_) {
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const ssize_t n =
          ::recvfrom(fd_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&peer), &length);
      if (n < static_cast<ssize_t>(kHeader)) continue;
      const std::string answer =
          answer_to({reinterpret_cast<const char*>(packet), static_cast<std::size_t>(n)});
      if (answer.empty()) continue;
      ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
    }
  }

  std::string answer_to(const std::string& question) {
    std::string name;
    std::size_t at = kHeader;
    while (at < question.size() && question[at] != 0) {
      const auto label = static_cast<unsigned char>(question[at]);
      if (!name.empty()) name += '.';
      name += question.substr(at + 1, label);
      at += label + 1U;
    }
    const bool wants_v6 = question.at(at + 2) == 28;
    if (!wants_v6) ++questions_;
    const std::size_t end = at + 5;
    const Zone zone = zone_of(name);
    if (zone.silent) return {};

    std::string records;
    std::uint16_t count = 0;
    for (const std::string& text : zone.addresses) {
      const bool is_v6 = text.find(':') != std::string::npos;
      if (is_v6 != wants_v6) continue;
      records += record(text, is_v6, zone.ttl);
      ++count;
    }
    std::string out = question.substr(0, end);
    out[2] = static_cast<char>(0x81);
    out[3] = static_cast<char>(0x80 | zone.rcode);
    out[6] = 0;
    out[7] = static_cast<char>(count);
    out.replace(8, 4, 4, '\0');
    return out + records;
  }

  Zone zone_of(const std::string& name) {
    std::lock_guard lock(mutex_);
    const auto found = zones_.find(name);
    return found == zones_.end() ? Zone{.addresses = {}, .rcode = 3} : found->second;
  }

  static std::string record(const std::string& text, bool is_v6, std::uint32_t ttl) {
    // A pointer to the question's name, then type and class IN.
    std::string out{"\xc0\x0c\x00\x01\x00\x01", 6};
    if (is_v6) out[3] = 28;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(ttl >> shift & 0xff);
    char bytes[16];
    ::inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), bytes);
    const std::size_t size = is_v6 ? 16 : 4;
    out += '\0';
    out += static_cast<char>(size);
    return out.append(bytes, size);
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> questions_{0};
  std::mutex mutex_;
  std::map<std::string, Zone> zones_;
  std::thread thread_;
};

}  // namespace weir::test
