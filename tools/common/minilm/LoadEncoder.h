//===- LoadEncoder.h - A sentence encoder with its weights --------------------===//
#pragma once

#include <filesystem>

#include "tools/common/minilm/Bert.h"

namespace kiln::tools {

/// Reads the weights of a sentence encoder from a safetensors file. Every parameter must be there
/// with its shape, and everything in the file must be a parameter, but for the position ids (a
/// constant 0, 1, 2 …) and the pooler (a head that sentence embeddings do without).
/// `dtype` is float32 or bfloat16, to which the weights of the linear layers are rounded.
/// Errors: IoError, KeyError and ValueError as from openSafetensors and loadStateDict.
SentenceEncoder loadEncoder(const std::filesystem::path &file, const BertConfig &config,
                            DType dtype = DType::float32);

/// The sizes as they can be told from the weights alone; heads and epsilon are those of
/// all-MiniLM-L6-v2. Errors: KeyError or ValueError if the file holds another kind of model.
BertConfig configFromWeights(const std::filesystem::path &file);

} // namespace kiln::tools
