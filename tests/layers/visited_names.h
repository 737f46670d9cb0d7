#pragma once

#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string>

#include "inference/weights/bind.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

/// Shapes by name.
using Names = std::map<std::string, std::string>;

class NameCollector : public ParameterVisitor {
 public:
  void visit(const std::string& name, Parameter& parameter) override {
    std::string shape = "[";
    for (std::size_t i = 0; i < parameter.shape.size(); ++i) {
      if (i > 0) shape += ", ";
      shape += std::to_string(parameter.shape[i]);
    }
    shape += "]";
    is_unique = names.emplace(name, shape).second && is_unique;
    values_allocated = values_allocated || parameter.value.defined();
  }
  void stack(Parameter&, std::initializer_list<Parameter*>) override {}

  Names names;
  bool is_unique = true;
  bool values_allocated = false;
};

/// The names and shapes that a module visits. Nothing is allocated for it, even at real widths.
inline NameCollector visited_names(const ParameterWalk& walk) {
  NameCollector collector;
  walk(collector);
  return collector;
}

/// A list of tests/data/key-lists: a name, a tab and a shape a line, as diffusers has them.
inline Names read_key_list(const std::string& file) {
  std::string path = SSD1B_SOURCE_DIR "/tests/data/key-lists/";
  path += file;
  std::ifstream stream(path);
  Names names;
  for (std::string line; std::getline(stream, line);) {
    const std::size_t tab = line.find('\t');
    names[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return names;
}

}  // namespace ssd1b
