// The peer: sqs-consumer with eight loops, a handler that does nothing. Ends
// when COUNT messages were deleted. Prints wall and CPU seconds from the first
// poll to the last delete.
import { Consumer } from 'sqs-consumer';
import { SQSClient } from '@aws-sdk/client-sqs';

const [endpoint, queueUrl, count, loops] = process.argv.slice(2);
const sqs = new SQSClient({
  endpoint, region: 'us-east-1',
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
});
const begun = process.hrtime.bigint();
const cpu = process.cpuUsage();
let left = Number(count);
const done = new Promise((resolve) => {
  for (let i = 0; i < Number(loops); i++) {
    const consumer = Consumer.create({
      queueUrl, sqs, batchSize: 10, waitTimeSeconds: 1,
      attributeNames: ['All'], messageAttributeNames: ['All'],
      handleMessageBatch: async (messages) => messages,
    });
    consumer.on('response_processed', () => {});
    consumer.on('error', (problem) => { console.error(problem); process.exit(1); });
    consumer.on('message_processed', () => { if (--left === 0) resolve(); });
    consumer.start();
  }
});
await done;
const used = process.cpuUsage(cpu);
console.log(Number(process.hrtime.bigint() - begun) / 1e9, (used.user + used.system) / 1e6, count);
process.exit(0);
