#pragma once

#include "frontend/Record.h"
#include "kiln/Description.h"
#include "kiln/Quantization.h"

#include <optional>

namespace kiln::nn::embedding {

/// What the embeddings with a table of their own share. Packed tables are uint8 [rows,
/// packedRowBytes(encoding, columns)].

/// A table of normal numbers: drawn (and packed) when it is first read, in parts where it is split.
/// Errors: TypeError for a symbolic or negative dim, and for packed rows that are to be no floats;
/// ValueError for packed rows that are no whole blocks.
Tensor lazyTable(const kiln::detail::Call &call, const Dim &vocabSize, const Dim &hiddenDim,
                 DType dtype, std::optional<QuantizationEncoding> encoding);

/// Elements of a row of a table.
Dim rowElements(const Tensor &table, std::optional<QuantizationEncoding> encoding);

/// Rows of a table as they are given out: decoded, in `dtype`, where the table is packed.
Tensor decodedRows(const Tensor &rows, std::optional<QuantizationEncoding> encoding, DType dtype,
                   Where where);

/// The fields `vocab_size` to `quantization_encoding`.
void describeTable(Description &to, const Tensor &table,
                   std::optional<QuantizationEncoding> encoding, DType dtype);

} // namespace kiln::nn::embedding
