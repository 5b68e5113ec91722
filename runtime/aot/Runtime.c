/* The runtime of exported models: what runtime/ does for a model of this process, in C, with
   nothing but libc, libm and libpthread. It is compiled to assembly text when Kiln is built; an
   export writes the model's name in the place of "kiln_aot" and adds the model's table. What the
   functions promise their callers is in the header that goes with them (ExportedHeader.cpp). */
#define _GNU_SOURCE /* syscall */
#include "runtime/Abi.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

enum { alignment = 64, maxThreads = 1024, maxDepth = 64 };
enum Status { ok, badArgument, badSize, badIndex, badFile, noMemory, badCpu };

/* The model's table, as ExportedObject.cpp writes it: words of 8 bytes. */

/* A size: pairs of operation and operand for a stack (runtime/DimProgram.h). */
typedef struct Program {
  const int64_t *code;
  int64_t length; /* pairs */
} Program;

typedef struct Requirement { /* a feature of the CPU and where it says that it has it */
  const char *name;
  int64_t leaf, subleaf, reg, bit, state;
} Requirement;

typedef struct Buffer {
  const char *name; /* "argument 0" */
  int64_t elementBytes;
  Program elements;
  int64_t alias; /* of an output that is an input as it came: the input's slot; else -1 */
} Buffer;

typedef struct Bound {
  Program value;
  int64_t isMultiple; /* of low; else between low and high */
  int64_t low, high;
  const char *text; /* of the dim */
} Bound;

typedef struct Table { /* of the code for one target */
  const char *name, *key, *target;
  KilnEntry entry;
  int64_t requirements;
  const Requirement *requirement;
  int64_t symbols;
  const char *const *symbol;
  int64_t arguments;
  const Buffer *argument;
  int64_t outputs;
  const Buffer *output;
  int64_t weights;
  const int64_t *weightBytes;
  int64_t slots;       /* of inputs */
  const int64_t *slot; /* a weight, or -1 - argument */
  int64_t bounds;
  const Bound *bound;
  int64_t sites;
  const char *const *site; /* what an index error says */
  Program workspace, scratchPerThread;
} Table;

typedef struct Images { /* the best first */
  int64_t count;
  const Table *const *table;
} Images;

extern const Images kiln_aot_images __attribute__((visibility("hidden")));

/* What is the same for all targets: names, sizes, arguments, outputs. */
static const Table *common(void) { return kiln_aot_images.table[0]; }

typedef struct Pool Pool;
typedef struct Worker {
  Pool *pool;
  int64_t index;
  pthread_t thread;
} Worker;

/* The threads beside the caller, asleep between loops. */
struct Pool {
  pthread_mutex_t mutex;
  pthread_cond_t start, done;
  int64_t round, busy; /* of loops; workers that are still in this one */
  int stops;
  KilnBody body;
  void *context;
  int64_t tasks;
  int64_t count; /* of workers, the caller among them */
  int64_t started;
  Worker *workers;
};

typedef struct kiln_aot {
  KilnRuntime runtime; /* first: compiled code gives it back */
  const Table *table;
  Pool pool;
  pthread_mutex_t mutex; /* held by a call */
  char *file;            /* mapped */
  size_t fileBytes;
  void *workspace;
  size_t workspaceBytes;
  pthread_mutex_t reportMutex;
  int64_t site, index, position, bound; /* the first bad index; site -1: none */
} kiln_aot;

static int fail(int status, char *message, size_t bytes, const char *format, ...) {
  if (message && bytes) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, bytes, format, arguments);
    va_end(arguments);
  }
  return status;
}

/* False on overflow. */
static int evaluate(Program program, const int64_t *sizes, int64_t *result) {
  int64_t stack[maxDepth + 1], depth = 0;
  for (int64_t i = 0; i < program.length; ++i) {
    int64_t op = program.code[2 * i], operand = program.code[2 * i + 1];
    if (op <= 1) { /* a number, a symbol */
      stack[depth++] = op == 0 ? operand : sizes[operand];
      continue;
    }
    int64_t y = stack[--depth];
    if (op == 6) /* 0 - y */
      stack[depth++] = 0;
    int64_t *x = &stack[depth - 1];
    if (op == 2) {
      if (__builtin_add_overflow(*x, y, x))
        return 0;
    } else if (op == 3 || op == 6) {
      if (__builtin_sub_overflow(*x, y, x))
        return 0;
    } else if (op == 4) {
      if (__builtin_mul_overflow(*x, y, x))
        return 0;
    } else { /* rounded down */
      if (y == 0 || (*x == INT64_MIN && y == -1))
        return 0;
      *x = *x / y - (*x % y != 0 && (*x < 0) != (y < 0));
    }
  }
  *result = depth ? stack[0] : 0;
  return 1;
}

/* ---- threads ---- */

static void runShare(Pool *pool, int64_t worker) {
  int64_t share = pool->tasks / pool->count, rest = pool->tasks % pool->count;
  int64_t begin = worker * share + (worker < rest ? worker : rest);
  int64_t end = begin + share + (worker < rest);
  if (begin < end)
    pool->body(pool->context, begin, end, worker);
}

static void *work(void *argument) {
  Worker *self = argument;
  Pool *pool = self->pool;
  int64_t seen = 0;
  pthread_mutex_lock(&pool->mutex);
  for (;;) {
    while (pool->round == seen && !pool->stops)
      pthread_cond_wait(&pool->start, &pool->mutex);
    if (pool->stops)
      break;
    seen = pool->round;
    pthread_mutex_unlock(&pool->mutex);
    runShare(pool, self->index);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->busy == 0)
      pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

static void parallelFor(const KilnRuntime *runtime, int64_t tasks, KilnBody body, void *context) {
  Pool *pool = &((kiln_aot *)(void *)runtime)->pool;
  if (tasks <= 0)
    return;
  if (tasks == 1 || pool->count == 1) {
    body(context, 0, tasks, 0);
    return;
  }
  pthread_mutex_lock(&pool->mutex);
  pool->body = body;
  pool->context = context;
  pool->tasks = tasks;
  pool->busy = pool->count - 1;
  ++pool->round;
  pthread_cond_broadcast(&pool->start);
  pthread_mutex_unlock(&pool->mutex);
  runShare(pool, 0);
  pthread_mutex_lock(&pool->mutex);
  while (pool->busy)
    pthread_cond_wait(&pool->done, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static void stopPool(Pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  pool->stops = 1;
  pthread_cond_broadcast(&pool->start);
  pthread_mutex_unlock(&pool->mutex);
  for (int64_t i = 0; i < pool->started; ++i)
    pthread_join(pool->workers[i].thread, NULL);
  free(pool->workers);
  pthread_cond_destroy(&pool->start);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->mutex);
}

/* As many threads as there can be. */
static void startPool(Pool *pool, int64_t count) {
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->start, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->count = 1;
  pool->workers = count > 1 ? calloc((size_t)count - 1, sizeof(Worker)) : NULL;
  while (pool->workers && pool->count < count) {
    Worker *worker = &pool->workers[pool->started];
    worker->pool = pool;
    worker->index = pool->count;
    if (pthread_create(&worker->thread, NULL, work, worker) != 0)
      break;
    ++pool->started;
    ++pool->count;
  }
}

/* ---- what compiled code asks for ---- */

static void indexError(const KilnRuntime *runtime, int64_t site, int64_t index, int64_t position,
                       int64_t bound) {
  kiln_aot *model = (kiln_aot *)(void *)runtime;
  pthread_mutex_lock(&model->reportMutex);
  if (model->site < 0 || site < model->site ||
      (site == model->site && position < model->position)) {
    model->site = site;
    model->index = index;
    model->position = position;
    model->bound = bound;
  }
  pthread_mutex_unlock(&model->reportMutex);
}

static const KilnMath math = {exp, log, log1p, tanh, erf, erfc, sin, cos, pow, fmod};

/* ---- opening ---- */

/* Linux gives AMX to processes that ask for it. */
static int mayUseTiles(void) {
  enum { requestPermission = 0x1023, tileData = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

static const char *missingFeature(const Table *table) {
  const int64_t tiles = 0x60000; /* XCR0: the state of AMX */
  unsigned regs[4], low = 0, high = 0;
  if (__get_cpuid(1, &regs[0], &regs[1], &regs[2], &regs[3]) && (regs[2] & (1u << 27)))
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  int64_t state = (int64_t)((uint64_t)high << 32 | low);
  for (int64_t i = 0; i < table->requirements; ++i) {
    const Requirement *need = &table->requirement[i];
    if (!__get_cpuid_count((unsigned)need->leaf, (unsigned)need->subleaf, &regs[0], &regs[1],
                           &regs[2], &regs[3]) ||
        !(regs[need->reg] >> need->bit & 1) || (state & need->state) != need->state)
      return need->name;
    if ((need->state & tiles) && !mayUseTiles())
      return need->name;
  }
  return NULL;
}

static pthread_once_t isChosen = PTHREAD_ONCE_INIT;
static const Table *chosen; /* NULL: none */

static void choose(void) {
  for (int64_t i = 0; i < kiln_aot_images.count && !chosen; ++i)
    if (!missingFeature(kiln_aot_images.table[i]))
      chosen = kiln_aot_images.table[i];
}

/* The best code that this CPU and system can run. */
static int chooseTable(const Table **table, char *message, size_t bytes) {
  pthread_once(&isChosen, choose);
  *table = chosen;
  if (chosen)
    return ok;
  const Table *last = kiln_aot_images.table[kiln_aot_images.count - 1];
  return fail(badCpu, message, bytes, "[%s] this CPU has no %s, which the code for %s needs%s",
              last->name, missingFeature(last), last->target,
              kiln_aot_images.count > 1 ? "; that for others needs more" : "");
}

static int findTable(const char *target, const Table **table, char *message, size_t bytes) {
  for (int64_t i = 0; i < kiln_aot_images.count; ++i) {
    *table = kiln_aot_images.table[i];
    if (strcmp((*table)->target, target) != 0)
      continue;
    const char *missing = missingFeature(*table);
    return missing ? fail(badCpu, message, bytes,
                          "[%s] this CPU has no %s, which the code for %s needs", (*table)->name,
                          missing, target)
                   : ok;
  }
  return fail(badArgument, message, bytes, "[%s] target: there is no code for \"%s\"",
              common()->name, target);
}

typedef struct WeightsHeader { /* followed by an offset for each weight */
  char magic[8];
  char key[32];
  int64_t fileBytes, weights;
} WeightsHeader;

/* Maps the file of the weights; every number in it is checked. */
static int mapWeights(kiln_aot *model, const char *path, char *message, size_t bytes) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    int error = errno;
    if (file >= 0)
      close(file);
    return fail(badFile, message, bytes, "[%s] %s: %s", common()->name, path, strerror(error));
  }
  size_t size = (size_t)status.st_size;
  void *mapped = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  close(file);
  if (mapped == MAP_FAILED)
    return fail(badFile, message, bytes, "[%s] %s: cannot be mapped", common()->name, path);
  model->file = mapped;
  model->fileBytes = size;
  const WeightsHeader *header = mapped;
  if (size < sizeof(WeightsHeader) || memcmp(header->magic, "KILNWTS\n", 8) != 0)
    return fail(badFile, message, bytes, "[%s] %s: magic: this is no file of weights",
                common()->name, path);
  if (memcmp(header->key, common()->key, 32) != 0)
    return fail(badFile, message, bytes, "[%s] %s: key: these are the weights of another model",
                common()->name, path);
  if (header->fileBytes != (int64_t)size)
    return fail(badFile, message, bytes, "[%s] %s: fileBytes: %lld, the file has %lld",
                common()->name, path, (long long)header->fileBytes, (long long)size);
  const int64_t *offset = (const int64_t *)(header + 1);
  if (header->weights != common()->weights ||
      (size - sizeof(WeightsHeader)) / 8 < (size_t)common()->weights)
    return fail(badFile, message, bytes, "[%s] %s: weights: %lld, expected %lld", common()->name,
                path, (long long)header->weights, (long long)common()->weights);
  for (int64_t i = 0; i < common()->weights; ++i)
    if (offset[i] < 0 || offset[i] % alignment != 0 || offset[i] > (int64_t)size ||
        (int64_t)size - offset[i] < common()->weightBytes[i])
      return fail(badFile, message, bytes, "[%s] %s: weight %lld does not lie in the file",
                  common()->name, path, (long long)i);
  return ok;
}

VISIBLE void kiln_aot_close(kiln_aot *model) {
  if (!model)
    return;
  stopPool(&model->pool);
  pthread_mutex_destroy(&model->mutex);
  pthread_mutex_destroy(&model->reportMutex);
  if (model->file)
    munmap(model->file, model->fileBytes);
  free(model->workspace);
  free(model);
}

static int openWith(const char *target, const char *weights, int threads, kiln_aot **result,
                    char *message, size_t bytes) {
  if (!weights || !result)
    return fail(badArgument, message, bytes, "[%s] %s is null", common()->name,
                weights ? "model" : "weights");
  *result = NULL;
  if (threads < 1 || threads > maxThreads)
    return fail(badArgument, message, bytes, "[%s] threads: expected 1 to %d, got %d",
                common()->name, maxThreads, threads);
  const Table *table = NULL;
  int status =
      target ? findTable(target, &table, message, bytes) : chooseTable(&table, message, bytes);
  if (status != ok)
    return status;
  kiln_aot *model = calloc(1, sizeof(kiln_aot));
  if (!model)
    return fail(noMemory, message, bytes, "[%s] no memory", common()->name);
  pthread_mutex_init(&model->mutex, NULL);
  pthread_mutex_init(&model->reportMutex, NULL);
  startPool(&model->pool, threads);
  model->runtime.abiVersion = KILN_ABI_VERSION;
  model->runtime.threads = model->pool.count;
  model->runtime.parallelFor = parallelFor;
  model->runtime.indexError = indexError;
  model->runtime.math = &math;
  model->table = table;
  status = mapWeights(model, weights, message, bytes);
  if (status != ok)
    kiln_aot_close(model);
  else
    *result = model;
  return status;
}

VISIBLE int kiln_aot_open(const char *weights, int threads, kiln_aot **result, char *message,
                          size_t bytes) {
  return openWith(NULL, weights, threads, result, message, bytes);
}

VISIBLE int kiln_aot_open_for(const char *target, const char *weights, int threads,
                              kiln_aot **result, char *message, size_t bytes) {
  if (!target)
    return fail(badArgument, message, bytes, "[%s] target is null", common()->name);
  return openWith(target, weights, threads, result, message, bytes);
}

VISIBLE const char *kiln_aot_target(int index) {
  return index >= 0 && index < kiln_aot_images.count ? kiln_aot_images.table[index]->target : NULL;
}

/* ---- calling ---- */

static int checkSizes(const int64_t *sizes, char *message, size_t bytes) {
  const Table *table = common();
  for (int64_t i = 0; i < table->symbols; ++i)
    if (sizes[i] < 0)
      return fail(badSize, message, bytes, "[%s] size \"%s\": expected at least 0, got %lld",
                  table->name, table->symbol[i], (long long)sizes[i]);
  for (int64_t i = 0; i < table->bounds; ++i) {
    const Bound *bound = &table->bound[i];
    int64_t value;
    if (!evaluate(bound->value, sizes, &value))
      return fail(badSize, message, bytes, "[%s] size %s overflows", table->name, bound->text);
    if (bound->isMultiple && value % bound->low != 0)
      return fail(badSize, message, bytes, "[%s] size %s: expected a multiple of %lld, got %lld",
                  table->name, bound->text, (long long)bound->low, (long long)value);
    if (!bound->isMultiple && (value < bound->low || value > bound->high)) {
      if (bound->high == INT64_MAX)
        return fail(badSize, message, bytes, "[%s] size %s: expected at least %lld, got %lld",
                    table->name, bound->text, (long long)bound->low, (long long)value);
      return fail(badSize, message, bytes, "[%s] size %s: expected %lld to %lld, got %lld",
                  table->name, bound->text, (long long)bound->low, (long long)bound->high,
                  (long long)value);
    }
  }
  return ok;
}

/* Bytes of a buffer; -1 where they are more than there can be. */
static int64_t bytesOf(const Buffer *buffer, const int64_t *sizes) {
  int64_t elements, result;
  if (!evaluate(buffer->elements, sizes, &elements) || elements < 0 ||
      __builtin_mul_overflow(elements, buffer->elementBytes, &result) ||
      result > INT64_MAX - alignment)
    return -1;
  return result;
}

static int checkPointer(const Buffer *buffer, const void *pointer, int64_t size, char *message,
                        size_t bytes) {
  if (size < 0)
    return fail(badSize, message, bytes, "[%s] %s: its size overflows", common()->name,
                buffer->name);
  if (size > 0 && !pointer)
    return fail(badArgument, message, bytes, "[%s] %s is null", common()->name, buffer->name);
  if ((uintptr_t)pointer % (uintptr_t)buffer->elementBytes != 0)
    return fail(badArgument, message, bytes,
                "[%s] %s: expected an address that is a multiple of %lld", common()->name,
                buffer->name, (long long)buffer->elementBytes);
  return ok;
}

static int64_t roundUp(int64_t size) { return (size + alignment - 1) / alignment * alignment; }

static int callLocked(kiln_aot *model, const int64_t *sizes, const void *const *inputs,
                      void *const *outputs, char *message, size_t bytes) {
  const Table *table = model->table;
  int64_t workspace, scratch, total;
  if (!evaluate(table->workspace, sizes, &workspace) ||
      !evaluate(table->scratchPerThread, sizes, &scratch) || workspace < 0 || scratch < 0 ||
      workspace > INT64_MAX / 4 ||
      __builtin_mul_overflow(scratch, model->runtime.threads, &total) || total > INT64_MAX / 4)
    return fail(badSize, message, bytes, "[%s] the memory for these sizes overflows", table->name);
  total += roundUp(workspace);
  int64_t staged = roundUp(total);
  total = staged;
  for (int64_t i = 0; i < table->outputs; ++i)
    if ((uintptr_t)outputs[i] % alignment != 0)
      if (__builtin_add_overflow(total, roundUp(bytesOf(&table->output[i], sizes)), &total))
        return fail(badSize, message, bytes, "[%s] the memory for these sizes overflows",
                    table->name);
  if ((size_t)total > model->workspaceBytes) {
    free(model->workspace);
    model->workspaceBytes = 0;
    model->workspace = aligned_alloc(alignment, (size_t)roundUp(total));
    if (!model->workspace)
      return fail(noMemory, message, bytes, "[%s] no memory: %lld bytes", table->name,
                  (long long)total);
    model->workspaceBytes = (size_t)roundUp(total);
  }
  int64_t count = table->slots + table->outputs + 1;
  void **buffers = malloc((size_t)count * sizeof(void *));
  if (!buffers)
    return fail(noMemory, message, bytes, "[%s] no memory", table->name);
  const int64_t *offset = (const int64_t *)((const WeightsHeader *)(const void *)model->file + 1);
  for (int64_t i = 0; i < table->slots; ++i)
    buffers[i] = table->slot[i] >= 0 ? (void *)(model->file + offset[table->slot[i]])
                                     : (void *)(uintptr_t)inputs[-1 - table->slot[i]];
  char *place = (char *)model->workspace + staged;
  for (int64_t i = 0; i < table->outputs; ++i) {
    int isAligned = (uintptr_t)outputs[i] % alignment == 0;
    buffers[table->slots + i] = isAligned ? outputs[i] : place;
    if (!isAligned)
      place += roundUp(bytesOf(&table->output[i], sizes));
  }
  buffers[count - 1] = model->workspace;
  model->site = -1;
  table->entry(&model->runtime, buffers, sizes);
  int status = ok;
  if (model->site >= 0)
    status = fail(badIndex, message, bytes,
                  "[%s] index %lld at position %lld is out of range [0, %lld): %s", table->name,
                  (long long)model->index, (long long)model->position, (long long)model->bound,
                  model->site < table->sites ? table->site[model->site] : "");
  for (int64_t i = 0; i < table->outputs && status == ok; ++i) {
    const Buffer *output = &table->output[i];
    const void *from = buffers[output->alias >= 0 ? output->alias : table->slots + i];
    if (from != outputs[i] && bytesOf(output, sizes) > 0)
      memcpy(outputs[i], from, (size_t)bytesOf(output, sizes));
  }
  free(buffers);
  return status;
}

VISIBLE int kiln_aot_call(kiln_aot *model, const int64_t *sizes, const void *const *inputs,
                          void *const *outputs, char *message, size_t bytes) {
  const Table *table = common();
  if (!model)
    return fail(badArgument, message, bytes, "[%s] model is null", table->name);
  int status = checkSizes(sizes, message, bytes);
  for (int64_t i = 0; i < table->arguments && status == ok; ++i)
    status = checkPointer(&table->argument[i], inputs[i], bytesOf(&table->argument[i], sizes),
                          message, bytes);
  for (int64_t i = 0; i < table->outputs && status == ok; ++i)
    status = checkPointer(&table->output[i], outputs[i], bytesOf(&table->output[i], sizes), message,
                          bytes);
  if (status != ok)
    return status;
  pthread_mutex_lock(&model->mutex);
  status = callLocked(model, sizes, inputs, outputs, message, bytes);
  pthread_mutex_unlock(&model->mutex);
  return status;
}

VISIBLE int64_t kiln_aot_output_elements(const int64_t *sizes, int output) {
  const Table *table = common();
  int64_t elements;
  if (output < 0 || output >= table->outputs || checkSizes(sizes, NULL, 0) != ok ||
      !evaluate(table->output[output].elements, sizes, &elements))
    return -1;
  return elements;
}
