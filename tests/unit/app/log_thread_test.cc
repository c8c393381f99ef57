// SPDX-License-Identifier: Apache-2.0
#include "app/log_thread.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace weir::app {
namespace {

class LogThreadTest : public ::testing::Test {
 protected:
  LogThreadTest() {
    char name[] = "/tmp/weir-log-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~LogThreadTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  LogFile file(const std::string& name) const {
    AccessLogConfig config;
    config.sink = AccessLogConfig::Sink::kFile;
    config.path = path(name);
    auto opened = LogFile::open(config);
    EXPECT_TRUE(opened) << opened.error();
    return std::move(*opened);
  }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(path(name)).rdbuf();
    return out.str();
  }
  /// Until the thread has written that many bytes.
  static void wait_for(const LogThread& log, uint64_t bytes) {
    while (log.bytes_written() + log.bytes_lost() < bytes) std::this_thread::yield();
  }

  std::string directory_;
};

TEST_F(LogThreadTest, WritesWhatIsInTheRings) {
  {
    LogThread log(2, file("a"));
    EXPECT_TRUE(log.ring(0)->write("zero\n"));
    EXPECT_TRUE(log.ring(1)->write("one\n"));
    wait_for(log, 9);
  }
  EXPECT_EQ(text("a").size(), 9U);
  EXPECT_NE(text("a").find("zero\n"), std::string::npos);
  EXPECT_NE(text("a").find("one\n"), std::string::npos);
}

TEST_F(LogThreadTest, WritesWhatIsLeftWhenItEnds) {
  { EXPECT_TRUE(LogThread(1, file("a")).ring(0)->write("last words\n")); }
  EXPECT_EQ(text("a"), "last words\n");
}

TEST_F(LogThreadTest, KeepsEveryLineWholeWithManyWriters) {
  constexpr int kLines = 20'000;
  const std::string filler(90, 'x');
  {
    LogThread log(2, file("a"));
    const auto write = [&](size_t worker) {
      for (int i = 0; i < kLines; ++i) {
        const std::string line = std::to_string(worker) + filler + "\n";
        while (!log.ring(worker)->write(line)) std::this_thread::yield();
      }
    };
    std::thread one([&] { write(0); });
    std::thread two([&] { write(1); });
    one.join();
    two.join();
  }
  std::ifstream in(path("a"));
  std::string line;
  int lines = 0;
  while (std::getline(in, line)) {
    ++lines;
    ASSERT_EQ(line.substr(1), filler);
  }
  EXPECT_EQ(lines, 2 * kLines);
}

TEST_F(LogThreadTest, WakesWhenARingIsHalfFullAndNotOnlyByTheClock) {
  LogThread log(1, file("a"));
  const std::string line(LogThread::kRingBytes / 4, 'x');
  // Five quarters fit into one ring only if it is emptied meanwhile.
  for (int i = 0; i < 5; ++i) {
    while (!log.ring(0)->write(line)) std::this_thread::yield();
  }
  wait_for(log, line.size() * 4);
  EXPECT_GE(log.bytes_written(), line.size() * 4);
}

TEST_F(LogThreadTest, ChangesToAnotherFile) {
  LogThread log(1, file("a"));
  log.ring(0)->write("old\n");
  wait_for(log, 4);
  log.change_file(file("b"));
  while (text("b").empty()) {
    log.ring(0)->write("new\n");
    std::this_thread::yield();
  }
  EXPECT_TRUE(text("a").starts_with("old\n"));
  EXPECT_TRUE(text("b").starts_with("new\n"));
}

TEST_F(LogThreadTest, OpensAMovedFileAgain) {
  LogThread log(1, file("a"));
  log.ring(0)->write("old\n");
  wait_for(log, 4);
  std::filesystem::rename(path("a"), path("a.1"));
  log.reopen();
  while (!std::filesystem::exists(path("a"))) std::this_thread::yield();
  log.ring(0)->write("new\n");
  wait_for(log, 8);
  EXPECT_EQ(text("a.1"), "old\n");
  EXPECT_EQ(text("a"), "new\n");
}

TEST_F(LogThreadTest, CountsWhatTheFileRefuses) {
  AccessLogConfig config;
  config.sink = AccessLogConfig::Sink::kFile;
  config.path = "/dev/full";
  auto full = LogFile::open(config);
  ASSERT_TRUE(full);
  LogThread log(1, std::move(*full));
  log.ring(0)->write("nobody will read this\n");
  wait_for(log, 22);
  EXPECT_EQ(log.bytes_lost(), 22U);
  EXPECT_EQ(log.bytes_written(), 0U);
}

TEST_F(LogThreadTest, AReaderThatHasStoppedDoesNotKeepItFromEnding) {
  const std::string pipe = path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  {
    LogThread log(1, file("pipe"));
    const std::string line(4096, 'x');
    while (log.ring(0)->write(line)) {
    }
  }
  ::close(reader);
}

TEST_F(LogThreadTest, OffDropsQuietly) {
  LogThread log(1, LogFile());
  log.ring(0)->write("nothing\n");
  while (log.ring(0)->size() > 0) std::this_thread::yield();
  EXPECT_EQ(log.bytes_written() + log.bytes_lost(), 0U);
}

TEST(LogFile, SaysWhichFileCannotBeOpened) {
  AccessLogConfig config;
  config.sink = AccessLogConfig::Sink::kFile;
  config.path = "/nowhere/at/all.log";
  const auto file = LogFile::open(config);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().find("/nowhere/at/all.log"), std::string::npos);
  EXPECT_NE(file.error().find("create its directory"), std::string::npos);
}

}  // namespace
}  // namespace weir::app
