// A member of a group: `node member.js BOOTSTRAP TOPIC GROUP`. Takes records one by one and commits each; see members.rs.
'use strict'

const { AssignerProtocol, Kafka, logLevel } = require('kafkajs')
const { MemberAssignment, MemberMetadata } = AssignerProtocol

const [bootstrap, topic, groupId] = process.argv.slice(2)
const say = (what, partition, offset, value = '') => console.log(what, Date.now() * 1000, partition, offset, value)

// kafkajs has only an assigner that no other client knows; this is the one that all know, as far as one topic needs it.
const range = ({ cluster }) => ({
  name: 'range',
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map((member) => member.memberId).sort()
    const assignment = Object.fromEntries(ids.map((id) => [id, {}]))
    for (const topic of topics) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map((partition) => partition.partitionId).sort((a, b) => a - b)
      const [each, rest] = [Math.floor(partitions.length / ids.length), partitions.length % ids.length]
      ids.forEach((id, at) => {
        const from = each * at + Math.min(at, rest)
        assignment[id][topic] = partitions.slice(from, from + each + (at < rest ? 1 : 0))
      })
    }
    return ids.map((memberId) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: assignment[memberId], userData: Buffer.alloc(0) }),
    }))
  },
  protocol({ topics }) {
    return { name: 'range', metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }) }
  },
})

async function main() {
  const kafka = new Kafka({ clientId: 'member', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners: [range],
    heartbeatInterval: 300,
    sessionTimeout: 30_000,
    maxWaitTimeInMs: 100,
  })
  process.on('SIGTERM', async () => {
    await consumer.disconnect()
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    async eachMessage({ topic, partition, message, heartbeat }) {
      say('seen', partition, message.offset, message.value.toString())
      const offset = (BigInt(message.offset) + 1n).toString()
      // A commit that comes too late throws, and the member joins anew.
      await consumer.commitOffsets([{ topic, partition, offset }])
      say('committed', partition, offset)
      await heartbeat()
    },
  })
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
