#pragma once

#include "runtime/Artifact.h"

#include <span>
#include <string>
#include <string_view>

namespace kiln::runtime {

/// 32 hex digits over all parts; ("ab", "c") is not ("a", "bc").
std::string hashKey(std::span<const std::string_view> parts);

/// All that decides the code of a graph, and nothing else: its canonical text, the target (this
/// CPU's features for "native"), the options, the compiler.
KeyParts keyParts(std::string_view graphText, const CompileRequest &request);

/// The key over these parts.
std::string artifactKey(std::string_view graphText, const CompileRequest &request);

/// What an artifact that was made for other machines is found by: the graph and the options but for
/// the machine code that was asked for. Neither the compiler nor the CPU, of which the machine that
/// runs it may have none and another one.
std::string shippedKey(const KeyParts &parts);

/// How two programs of a cache differ, by the names of the parts; of the graph the first line that
/// is another one. Empty where they do not. `a` and `b` say whose is whose: "there", "here".
std::string describeDifference(const KeyParts &partsA, std::string_view a, const KeyParts &partsB,
                               std::string_view b);

/// How much two programs have in common: 1 where they are equal, 0 where their graphs share no
/// word.
double similarity(const KeyParts &a, const KeyParts &b);

} // namespace kiln::runtime
