// axios: npm install axios
import axios from 'axios';

const { data, headers } = await axios.post(
  `${process.env.UNDERSTUDY_URL}/v1/chat/completions`,
  { model: 'policy/demo', messages: [{ role: 'user', content: 'Hello' }] },
  { headers: { authorization: `Bearer ${process.env.UNDERSTUDY_KEY}` } },
);
console.log(data.choices[0].message.content, '| answered by', headers['x-understudy-model']);
