// axios: npm install axios
import axios from 'axios';

const { UNDERSTUDY_URL, UNDERSTUDY_KEY, UNDERSTUDY_MODEL = 'policy/demo' } = process.env;
const understudy = axios.create({ baseURL: `${UNDERSTUDY_URL}/v1`, headers: { authorization: `Bearer ${UNDERSTUDY_KEY}` } });
const ask = { model: UNDERSTUDY_MODEL, messages: [{ role: 'user', content: 'Hello' }] };

const { data, headers } = await understudy.post('/chat/completions', ask);
console.log(data.choices[0].message.content, '| answered by', headers['x-understudy-model']);

const { data: stream } = await understudy.post('/chat/completions', { ...ask, stream: true }, { responseType: 'stream' });
for await (const bytes of stream) process.stdout.write(bytes);
