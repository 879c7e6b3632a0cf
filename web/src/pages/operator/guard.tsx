import type { JSX, ReactNode } from 'react';
import { useSession } from '../../frame/session.tsx';
import { LinkButton } from '../../ui/button.tsx';
import { Empty } from '../../ui/states.tsx';

/** Operators only. The control plane decides; this only spares members a page of refusals. */
export function OperatorOnly({ children }: { children: ReactNode }): JSX.Element {
  const { account } = useSession();
  if (account.role === 'operator') return <>{children}</>;
  return (
    <section className="panel">
      <Empty
        level={1}
        icon="lock"
        title="This page is the operator's"
        actions={<LinkButton to="/">To the dashboard</LinkButton>}
      >
        Your account is a member's. Ask the operator for what you need.
      </Empty>
    </section>
  );
}
