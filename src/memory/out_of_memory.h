#pragma once

namespace ssd1b {

/// What `new` does on this thread, while one of these lives, where the system has no memory. Inner
/// ones go before outer ones. Without any, `new` fails as always.
class OutOfMemory {
 public:
  enum class Means {
    Wait,  // try again every millisecond: for what must not stop halfway, as the books of pictures
    Fail,  // throw std::bad_alloc: for what one client has asked for
  };

  explicit OutOfMemory(Means means);
  ~OutOfMemory();
  OutOfMemory(const OutOfMemory&) = delete;
  OutOfMemory& operator=(const OutOfMemory&) = delete;

 private:
  const Means outer_;
};

}  // namespace ssd1b
