//! Our senders keep the contract of the sender port.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::random::SystemRandom;
use verifyd_core::testing::sender_contract::NUMBER;
use verifyd_core::testing::{Fate, SenderFactory, SenderUnderTest};

mod twilio {
    use super::{Arc, Fate, NUMBER, SenderFactory, SenderUnderTest, SystemRandom, async_trait};
    use verifyd_senders::twilio::fake::{FakeTwilio, Fault};
    use verifyd_senders::twilio::{TwilioConfig, TwilioSender};

    struct Twilio;

    #[async_trait]
    impl SenderFactory for Twilio {
        async fn fresh(&self, fate: Fate) -> Option<SenderUnderTest> {
            let provider = FakeTwilio::start().await.unwrap();
            match fate {
                Fate::Takes | Fate::IsAbsent => {}
                Fate::Rejects => provider.fault_for(NUMBER, Fault::Error { status: 400, code: 21211 }),
                Fate::Hangs => provider.fault_for(NUMBER, Fault::Hang),
            }
            let mut settings = provider.settings();
            if fate == Fate::IsAbsent {
                // A port that was free a moment ago; whoever took it since would not answer as Twilio.
                let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
                settings.base_url = format!("http://{free}");
            }
            let sender = TwilioSender::new(TwilioConfig::new(settings).unwrap(), Arc::new(SystemRandom)).unwrap();
            Some(SenderUnderTest { sender: Arc::new(sender), arrivals: Box::new(move || provider.requests().len()) })
        }
    }

    verifyd_core::sender_contract_tests!(Twilio);
}

mod inbox {
    use super::{Arc, Fate, NUMBER, PhoneNumber, SenderFactory, SenderUnderTest, async_trait};
    use verifyd_senders::inbox::{Inbox, InboxSender, Outcome};

    struct Memory;

    #[async_trait]
    impl SenderFactory for Memory {
        async fn fresh(&self, fate: Fate) -> Option<SenderUnderTest> {
            let outcome = match fate {
                Fate::Takes => Outcome::Delivered,
                Fate::Rejects => Outcome::Rejected,
                Fate::IsAbsent => Outcome::Unavailable,
                // It is memory: it always answers.
                Fate::Hangs => return None,
            };
            let inbox = Arc::new(Inbox::new());
            inbox.script(PhoneNumber::parse_e164(NUMBER).unwrap(), outcome, None).unwrap();
            let sender = Arc::new(InboxSender::new(Arc::clone(&inbox)));
            Some(SenderUnderTest { sender, arrivals: Box::new(move || inbox.messages(None).len()) })
        }
    }

    verifyd_core::sender_contract_tests!(Memory);
}
