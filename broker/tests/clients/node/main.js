// kafkajs: `node main.js BOOTSTRAP PREFIX`. One line per check, exit status 1 when any failed.
'use strict'

const assert = require('node:assert/strict')
const { Kafka, CompressionCodecs, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const [bootstrap, prefix] = process.argv.slice(2)
const patienceMs = 20_000
const kafka = new Kafka({ clientId: 'thalweg-suite', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
const admin = kafka.admin()
let failures = 0

async function check(name, body) {
  try {
    await withTimeout(body(), name)
    console.log(`ok ${name}`)
  } catch (error) {
    failures++
    console.error(error)
    console.log(`not ok ${name}: ${String(error.message ?? error).replaceAll('\n', ' ')}`)
  }
}

// Waits are bounded, because a consumer of kafkajs would wait for ever.
async function withTimeout(promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${patienceMs} ms`)), patienceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

async function until(condition, what) {
  const end = Date.now() + patienceMs
  while (Date.now() < end) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`never: ${what}`)
}

async function led(topic, partitions) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0].partitions.length === partitions && topics[0].partitions.every((p) => p.leader >= 0 && p.partitionErrorCode === 0)
}

async function topic(label, numPartitions = 1, configEntries = []) {
  const created = prefix + label
  assert.equal(await admin.createTopics({ topics: [{ topic: created, numPartitions, replicationFactor: 1, configEntries }] }), true)
  await until(() => led(created, numPartitions), `${created} has its leaders`)
  return created
}

async function produce(topic, messages, { acks = -1, compression, idempotent = false } = {}) {
  const producer = kafka.producer({ idempotent, maxInFlightRequests: idempotent ? 1 : null })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, acks, compression })
  } finally {
    await producer.disconnect()
  }
}

const numbered = (count, partition = 0) => Array.from({ length: count }, (_, i) => ({ key: 'k', value: String(i), partition }))

// Reads in a group of one member, the only way that kafkajs has; `prepare` may seek, pause or commit.
async function read(topic, count, { group = `g-${topic}`, isolated = false, fromBeginning = true, prepare = async () => {}, commit = false } = {}) {
  const consumer = kafka.consumer({ groupId: group, readUncommitted: !isolated, maxWaitTimeInMs: 100 })
  const messages = []
  let enough
  const done = new Promise((resolve) => (enough = resolve))
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning })
    await consumer.run({
      autoCommit: commit,
      eachMessage: async ({ partition, message }) => {
        if (messages.length >= count) return
        messages.push({ partition, ...message })
        if (messages.length === count) enough()
      },
    })
    await prepare(consumer)
    await withTimeout(done, `reading ${count} records`)
    return messages
  } finally {
    await consumer.disconnect()
  }
}

async function produceAndRead(label, options) {
  const made = await topic(label, 2)
  for (const partition of [0, 1]) await produce(made, numbered(200, partition), options)
  const messages = await read(made, 400)
  for (const partition of [0, 1]) {
    const of = messages.filter((m) => m.partition === partition)
    assert.deepEqual(of.map((m) => Number(m.offset)), [...Array(200).keys()])
    assert.deepEqual(of.map((m) => Number(m.value.toString())), [...Array(200).keys()])
  }
}

async function fields() {
  const made = await topic('fields')
  const timestamp = String(Date.now() - 3_600_000)
  await produce(made, [
    { key: 'k', value: 'v', headers: { a: '1', b: ['2', '3'] }, timestamp },
    { key: 'tombstone', value: null },
    { key: '', value: '' },
    { value: Buffer.alloc(900_000, 7) },
  ])
  const [first, tombstone, empties, large] = await read(made, 4)
  assert.equal(first.headers.a.toString(), '1')
  assert.deepEqual(first.headers.b.map(String), ['2', '3'])
  assert.equal(first.timestamp, timestamp)
  assert.equal(tombstone.value, null)
  assert.deepEqual([empties.key.length, empties.value.length], [0, 0])
  assert.equal(large.key, null)
  assert.deepEqual(large.value, Buffer.alloc(900_000, 7))
}

async function offsets() {
  const made = await topic('offsets')
  const start = Date.now() - 100_000
  for (let i = 0; i < 5; i++) await produce(made, [{ value: String(i), timestamp: String(start + i * 1000) }])
  assert.deepEqual(await admin.fetchTopicOffsets(made), [{ partition: 0, offset: '5', high: '5', low: '0' }])
  assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(made, start + 1500), [{ partition: 0, offset: '2' }])
}

// The group starts at 18, so that offset 2 can only come from the seek.
async function seek() {
  const made = await topic('seek')
  await produce(made, numbered(20))
  const name = `${prefix}seek`
  await admin.setOffsets({ groupId: name, topic: made, partitions: [{ partition: 0, offset: '18' }] })
  const back = async (consumer) => consumer.seek({ topic: made, partition: 0, offset: '2' })
  const messages = await read(made, 18, { group: name, prepare: back })
  assert.ok(messages.some((m) => m.offset === '2'), `offsets read: ${messages.map((m) => m.offset)}`)
}

async function group() {
  const made = await topic('group', 2)
  for (const partition of [0, 1]) await produce(made, numbered(10, partition))
  const name = `${prefix}continue`
  await read(made, 20, { group: name, commit: true })
  const committed = await admin.fetchOffsets({ groupId: name, topics: [made] })
  assert.deepEqual(committed[0].partitions.map((p) => p.offset), ['10', '10'])
  await produce(made, [{ value: 'new', partition: 1 }])
  const [next] = await read(made, 1, { group: name })
  assert.deepEqual([next.partition, next.offset, next.value.toString()], [1, '10', 'new'])
}

async function setOffsets() {
  const made = await topic('set-offsets')
  await produce(made, numbered(10))
  const name = `${prefix}set`
  await admin.setOffsets({ groupId: name, topic: made, partitions: [{ partition: 0, offset: '7' }] })
  assert.deepEqual((await read(made, 3, { group: name })).map((m) => m.offset), ['7', '8', '9'])
}

async function topics() {
  const made = await topic('life')
  assert.equal(await admin.createTopics({ topics: [{ topic: made }] }), false)
  await assert.rejects(admin.createTopics({ topics: [{ topic: 'not a topic' }] }))
  await admin.createPartitions({ topicPartitions: [{ topic: made, count: 3 }] })
  await until(() => led(made, 3), 'three partitions')
  assert.ok((await admin.listTopics()).includes(made))
  await admin.deleteTopics({ topics: [made] })
  await until(async () => !(await admin.listTopics()).includes(made), 'the topic is gone')
}

async function cluster() {
  const { brokers, clusterId } = await admin.describeCluster()
  assert.deepEqual(brokers.map((b) => `${b.host}:${b.port}`), [bootstrap])
  assert.ok(clusterId)
}

async function configs() {
  const made = await topic('configs', 1, [{ name: 'retention.ms', value: '60000' }])
  const value = async () => {
    const asked = { resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configNames: ['retention.ms'] }], includeSynonyms: false }
    return (await admin.describeConfigs(asked)).resources[0].configEntries[0].configValue
  }
  assert.equal(await value(), '60000')
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configEntries: [{ name: 'retention.ms', value: '120000' }] }] })
  await until(async () => (await value()) === '120000', 'the new value')
}

async function deleteRecords() {
  const made = await topic('delete-records')
  await produce(made, numbered(10))
  await admin.deleteTopicRecords({ topic: made, partitions: [{ partition: 0, offset: '6' }] })
  assert.equal((await admin.fetchTopicOffsets(made))[0].low, '6')
  assert.equal((await read(made, 4))[0].offset, '6')
}

async function autoCreate() {
  const made = `${prefix}auto`
  await produce(made, [{ value: 'v' }])
  assert.equal((await read(made, 1))[0].value.toString(), 'v')
}

async function tooLarge() {
  const made = await topic('too-large', 1, [{ name: 'max.message.bytes', value: '1000' }])
  await assert.rejects(produce(made, [{ value: Buffer.alloc(5000, 1) }]), /larger than the max|MESSAGE_TOO_LARGE/)
}

async function main() {
  await withTimeout(admin.connect(), 'connecting')
  await check('cluster', cluster)
  await check('produce-idempotent', () => produceAndRead('idempotent', { idempotent: true }))
  for (const acks of [0, 1, -1]) await check(`produce-acks-${acks}`, () => produceAndRead(`acks-${acks}`, { acks }))
  for (const codec of ['None', 'GZIP', 'Snappy']) {
    await check(`compression-${codec}`, () => produceAndRead(`codec-${codec}`, { compression: CompressionTypes[codec] }))
  }
  await check('record-fields', fields)
  await check('auto-create', autoCreate)
  await check('record-too-large', tooLarge)
  await check('offsets-by-time', offsets)
  await check('seek', seek)
  await check('read-committed', async () => {
    const made = await topic('committed')
    await produce(made, numbered(10))
    await read(made, 10, { isolated: true })
  })
  await check('group-continues', group)
  await check('group-set-offsets', setOffsets)
  await check('topics', topics)
  await check('configs', configs)
  await check('delete-records', deleteRecords)
  await admin.disconnect()
}

main()
  .catch((error) => {
    failures++
    console.log(`not ok suite: ${error.message}`)
  })
  .finally(() => process.exit(failures ? 1 : 0))
