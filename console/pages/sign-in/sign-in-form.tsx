import { Alert, Button, Form, Input, Spin } from 'antd';
import { ProblemAlert } from '../../components/problem-alert.js';
import { isSignedOut } from '../../data/client.js';
import { useServerIsAway } from '../../data/connection.js';
import type { useSignIn } from '../../data/session.js';
import { useTexts } from '../../texts/language.js';
import styles from './sign-in-page.module.css';

export function SignInForm({ signIn }: { signIn: ReturnType<typeof useSignIn> }) {
  const { signIn: texts } = useTexts();
  const isAway = useServerIsAway();
  if (signIn.isPending && signIn.variables?.link !== undefined) {
    return <Spin description={texts.withLink} size="large" />;
  }
  return (
    <Form<{ token: string }>
      layout="vertical"
      requiredMark={false}
      className={styles['form'] ?? ''}
      onFinish={({ token }) => signIn.mutate({ token: token.trim() })}
    >
      {signIn.error && (
        <div className={styles['problem']}>
          {isSignedOut(signIn.error) ? (
            <Alert
              type="error"
              showIcon
              role="alert"
              {...(signIn.variables?.link === undefined ? texts.tokenRefused : texts.linkRefused)}
            />
          ) : (
            <ProblemAlert error={signIn.error} />
          )}
        </div>
      )}
      <Form.Item
        name="token"
        label={texts.token}
        extra={texts.tokenHelp}
        rules={[{ required: true, whitespace: true, message: texts.tokenRequired }]}
      >
        <Input.Password autoFocus autoComplete="current-password" size="large" />
      </Form.Item>
      <Button type="primary" htmlType="submit" size="large" block disabled={isAway} loading={signIn.isPending}>
        {texts.signIn}
      </Button>
    </Form>
  );
}
