#pragma once

#include "frontend/Record.h"
#include "kiln/Quantization.h"

namespace kiln::nn::embedding {

/// A table of normal numbers, uint8 [rows, packedRowBytes(encoding, columns)]: drawn and packed
/// when it is first read, in parts where it is split. Errors: ValueError for rows that are no whole
/// blocks.
Tensor lazyPacked(const kiln::detail::Call &call, const Dim &rows, int64_t columns,
                  QuantizationEncoding encoding);

/// Elements of a row of so many bytes.
Dim unpackedColumns(const Dim &bytes, QuantizationEncoding encoding);

/// Errors: TypeError for rows that are to be no floats.
void checkPackedDType(const kiln::detail::Call &call, DType dtype, QuantizationEncoding encoding);

} // namespace kiln::nn::embedding
