/* Runs the classifier that deploy.cpp exports, without Kiln: docs/deploy.md.
     cc -std=c99 -I. deploy.c classifier.o -lm -lpthread -o classify
     ./classify classifier.weights THREADS SENTENCE... */
#include <classifier.h>

#include <stdio.h>
#include <stdlib.h>

/* Reads "12,7,345" into at most `room` ids; returns how many there are. */
static int64_t parse(const char *sentence, int64_t *ids, int64_t room) {
  int64_t count = 0;
  char *end;
  for (; *sentence && count < room; sentence = *end ? end + 1 : end)
    ids[count++] = strtoll(sentence, &end, 10);
  return count;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: classify WEIGHTS THREADS SENTENCE...\n");
    return 2;
  }
  char message[256];
  classifier *model;
  int status = classifier_open(argv[1], atoi(argv[2]), &model, message, sizeof message);
  if (status != CLASSIFIER_OK) {
    fprintf(stderr, "%s\n", message);
    return 10 + status;
  }

  /* One batch of all sentences, padded to the longest. */
  enum { longest = 512 };
  int64_t batch = argc - 3, seq = 1;
  int64_t *ids = calloc((size_t)batch * longest, sizeof *ids);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t length = parse(argv[3 + b], ids + b * longest, longest);
    seq = length > seq ? length : seq;
  }
  int64_t *tokens = calloc((size_t)(batch * seq), sizeof *tokens);
  int64_t *mask = calloc((size_t)(batch * seq), sizeof *mask);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t length = parse(argv[3 + b], ids + b * longest, longest);
    for (int64_t s = 0; s < length; ++s) {
      tokens[b * seq + s] = ids[b * longest + s];
      mask[b * seq + s] = 1;
    }
  }

  classifier_sizes sizes = {.batch = batch, .seq = seq};
  float *probabilities = calloc((size_t)batch * 3, sizeof *probabilities);
  status = classifier_run(model, sizes, tokens, mask, probabilities, message, sizeof message);
  if (status != CLASSIFIER_OK)
    fprintf(stderr, "%s\n", message);
  for (int64_t b = 0; b < batch && status == CLASSIFIER_OK; ++b)
    printf("%s: %.6f %.6f %.6f\n", argv[3 + b], (double)probabilities[3 * b],
           (double)probabilities[3 * b + 1], (double)probabilities[3 * b + 2]);
  classifier_close(model);
  free(probabilities);
  free(mask);
  free(tokens);
  free(ids);
  return status == CLASSIFIER_OK ? 0 : 10 + status;
}
